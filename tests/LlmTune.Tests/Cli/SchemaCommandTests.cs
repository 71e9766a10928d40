using System.Text.Json.Nodes;
using LlmTune.Config;
using LlmTune.Recipes;

namespace LlmTune.Tests.Cli;

public class SchemaCommandTests
{
    [Fact]
    public void The_schema_is_the_only_thing_on_standard_output()
    {
        var (code, output, error) = AppTests.Run("schema");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal("LlmTune run file", (string?)JsonNode.Parse(output)!["title"]);
    }

    [Fact]
    public void The_list_has_every_setting_below_its_section()
    {
        var lines = AppTests.Run("schema", "--list").Output.Split('\n');
        var section = "";
        HashSet<string> found = [];
        foreach (var line in lines)
        {
            if (line.Length > 0 && line[0] != ' ') section = line;
            else if (line.Length > 0) found.Add($"{section}.{line.Trim().Split(' ')[0]}".TrimStart('.'));
        }
        Assert.Equal(ConfigFile.Settings<RunConfig>().Where(setting => !setting.IsSection).Select(setting => setting.Path).Order(), found.Order());
        Assert.Contains("  lora_dropout                  0                   share of the adapter's inputs that is dropped in training", lines);
    }
}
