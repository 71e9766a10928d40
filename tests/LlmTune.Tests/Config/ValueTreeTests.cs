using System.Text.Json.Nodes;
using LlmTune.Config;
using LlmTune.Recipes;

namespace LlmTune.Tests.Config;

public class ValueTreeTests
{
    private static RunConfig Parse(string kwargs) =>
        ConfigFile.Parse<RunConfig>($"model: {{ path: x, chat_template_kwargs: {kwargs} }}\ndata: {{ sources: [{{ path: a }}] }}\ntraining: {{ output_dir: out }}", "run.yaml");

    [Theory]
    [InlineData("{ enable_thinking: false }", """{"enable_thinking":false}""")]
    [InlineData("{ date: \"2025-01-01\", n: 3, x: 0.5, none: null, word: \"yes\", list: [a, { b: 1 }], \"a b\": {} }", """{"date":"2025-01-01","n":3,"x":0.5,"none":null,"word":"yes","list":["a",{"b":1}],"a b":{}}""")]
    [InlineData("{}", "{}")]
    public void Values_of_any_kind_are_read_and_written_back_equal(string yaml, string json)
    {
        var run = Parse(yaml);
        Assert.Equal(json, run.Model.ChatTemplateKwargs.ToString());
        Assert.Equal(run, ConfigFile.Parse<RunConfig>(ConfigFile.ToYaml(run), "run.yaml"));
        Assert.Equal(run, ConfigFile.Parse<RunConfig>(ConfigFile.ToJson(run), "run.yaml"));
        Assert.NotEqual(run, Parse("{ other: 1 }"));
    }

    [Fact]
    public void A_value_that_is_no_section_is_refused() => Assert.Equal(
        "run.yaml:1:41: model.chat_template_kwargs must be a section of names and values, got a list",
        Assert.ThrowsAny<RequestException>(() => Parse("[3]")).Message);

    [Fact]
    public void Nobody_changes_the_values_behind_its_back()
    {
        var tree = new ValueTree(new JsonObject { ["x"] = 1 });
        tree.ToJson()["x"] = 2;
        Assert.Equal("""{"x":1}""", tree.ToString());
        Assert.True(tree.Has("x") && !tree.Has("y"));
    }
}
