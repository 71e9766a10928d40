using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tests.Tokenization.Templates;

/// <summary>The test vectors of @huggingface/jinja, with the texts that Jinja2 gives where the two differ (vectors/chat_templates of LLMTUNE_DATA).</summary>
public class TemplateVectorTests
{
    [Theory]
    [InlineData("e2e.json", "data")]
    [InlineData("unit.json", "context")]
    public void Vectors_render_as_in_Jinja2(string file, string variables)
    {
        var root = Environment.GetEnvironmentVariable("LLMTUNE_DATA");
        if (string.IsNullOrEmpty(root)) Assert.Skip("LLMTUNE_DATA is not set");
        var path = Path.Combine(root, "vectors", "chat_templates", file);
        if (!File.Exists(path)) Assert.Skip($"{path} is not there");
        using var vectors = JsonDocument.Parse(File.ReadAllText(path));
        var problems = new List<string>();
        foreach (var vector in vectors.RootElement.GetProperty("cases").EnumerateArray())
        {
            var (name, expected) = (vector.GetProperty("name").GetString()!, vector.GetProperty("expected").GetString()!);
            try
            {
                var text = Template.Parse(vector.GetProperty("template").GetString()!, name).Render(JsonObject.Create(vector.GetProperty(variables))!).Text;
                if (text != expected) problems.Add($"{name}: expected {JsonSerializer.Serialize(expected)}, got {JsonSerializer.Serialize(text)}");
            }
            catch (TemplateException e)
            {
                problems.Add($"{name}: {e.Message}");
            }
        }
        Assert.True(problems.Count == 0, string.Join("\n", problems));
    }
}
