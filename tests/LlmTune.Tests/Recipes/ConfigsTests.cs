using LlmTune.Config;
using LlmTune.Data;
using LlmTune.Recipes;
using LlmTune.Tests.Cli;
using Serilog.Core;

namespace LlmTune.Tests.Recipes;

/// <summary>The sample run files of the repository.</summary>
public class ConfigsTests
{
    private static readonly string Folder = Path.Join(Root(AppContext.BaseDirectory), "configs");

    public static TheoryData<string> Files() =>
        [.. Directory.EnumerateFiles(Folder, "*.yaml", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Folder, file)).Order()];

    [Theory]
    [MemberData(nameof(Files))]
    public void Has_no_mistake_and_begins_with_the_command_that_runs_it(string file)
    {
        var run = RunConfig.Load(Path.Join(Folder, file));
        Assert.Equal(run, ConfigFile.Parse<RunConfig>(ConfigFile.ToYaml(run), file));
        var comment = File.ReadLines(Path.Join(Folder, file)).TakeWhile(line => line.StartsWith('#'));
        Assert.Contains(comment, line => line.StartsWith($"#   llmtune train configs/{file}", StringComparison.Ordinal));
    }

    /// <summary>Two steps of each on a small model and small data; the rest is as the file says.</summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void Runs_two_steps(string file)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllLines(folder["rows.jsonl"], Enumerable.Range(0, 40).Select(i => $$"""{"text": "Once upon a time, there was a girl who had {{i}} balls."}"""));
        var run = RunConfig.Load(Path.Join(Folder, file));
        SourceConfig Small(SourceConfig source) => source with { Path = folder["rows.jsonl"], Format = null, Columns = null, Limit = 20 };
        var result = Finetune.Run(
            run with
            {
                Device = "cpu",
                Model = run.Model with { Path = RealModels.Stories, Tokenizer = null, ChatTemplate = null },
                Data = run.Data with
                {
                    Sources = [.. run.Data.Sources.Select(Small)],
                    Eval = run.Data.Eval is { Sources: { } sources } eval ? eval with { Sources = [.. sources.Select(Small)] } : run.Data.Eval is null ? null : new EvalConfig { Count = 2 },
                    MaxLength = 128,
                },
                Training = run.Training with { OutputDir = folder["run"], MaxSteps = 2 },
            },
            force: false, Logger.None);
        Assert.Equal(2, result.Steps);
        Assert.True(result.Folder.IsFinished);
    }

    /// <summary>Editors complete and check the files by it. To write it anew: llmtune schema > configs/llmtune.schema.json</summary>
    [Fact]
    public void The_schema_beside_them_is_that_of_this_version() =>
        Assert.Equal(AppTests.Run("schema").Output, File.ReadAllText(Path.Join(Folder, "llmtune.schema.json")));

    [Theory]
    [MemberData(nameof(Files))]
    public void Names_the_schema_beside_it(string file) =>
        Assert.Equal("# yaml-language-server: $schema=llmtune.schema.json", File.ReadLines(Path.Join(Folder, file)).First());

    [Theory]
    [MemberData(nameof(Files))]
    public void Names_its_sections_in_the_order_of_the_record(string file)
    {
        var sections = File.ReadLines(Path.Join(Folder, file)).Where(line => line.Length > 0 && char.IsLetter(line[0])).Select(line => line.Split(':')[0]);
        var order = ConfigFile.Settings<RunConfig>().Where(setting => setting.Section.Length == 0).Select(setting => setting.Path).ToList();
        Assert.Equal(sections.OrderBy(order.IndexOf), sections);
    }

    private static string Root(string folder) => File.Exists(Path.Join(folder, "LlmTune.sln")) ? folder : Root(Path.GetDirectoryName(folder)!);
}
