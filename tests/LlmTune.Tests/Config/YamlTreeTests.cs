using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Config;

namespace LlmTune.Tests.Config;

public class YamlTreeTests
{
    /// <summary>Values by YAML 1.2's core schema, written down independently of this reader (data/vectors/yaml).</summary>
    public static IEnumerable<TheoryDataRow<string, string>> EdgeCases()
    {
        if (Environment.GetEnvironmentVariable("LLMTUNE_DATA") is not { Length: > 0 } data)
            return [new TheoryDataRow<string, string>("", "") { Skip = "LLMTUNE_DATA is not set" }];
        var cases = JsonNode.Parse(File.ReadAllText(Path.Join(data, "vectors", "yaml", "config_edge_cases.json")))!["cases"]!.AsArray();
        Assert.NotEmpty(cases);
        return cases.Select(c => new TheoryDataRow<string, string>((string)c!["yaml"]!, c["expected"]!.ToJsonString()));
    }

    [Theory]
    [MemberData(nameof(EdgeCases))]
    public void Edge_case(string yaml, string expected)
    {
        var problems = new Problems();
        var read = Values(YamlTree.Read(yaml, "case.yaml", "", problems));
        problems.ThrowIfAny();
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), read), $"expected {expected}, got {read?.ToJsonString()}");
    }

    [Fact]
    public void Keys_and_values_know_where_they_stand()
    {
        var tree = (MapNode)YamlTree.Read("\uFEFFa: 1\nb:\n  c: [x, 'y']\n", "f.yaml", "/folder", new Problems());
        var b = tree.Entries[1];
        var c = ((MapNode)b.Value).Entries[0];
        var list = (ListNode)c.Value;
        Assert.Equal(["f.yaml:1:4", "f.yaml:2:1", "f.yaml:3:3", "f.yaml:3:6", "f.yaml:3:7", "f.yaml:3:10"],
            new[] { tree["a"]!.Place, b.Place, c.Place, list.Place, list.Items[0].Place, list.Items[1].Place }.Select(place => place.ToString()));
    }

    [Fact]
    public void Own_keys_win_over_merged_ones_and_earlier_maps_over_later()
    {
        var tree = (MapNode)YamlTree.Read("a: &a { x: 1, y: 1 }\nb: &b { y: 2, z: 2 }\nc:\n  <<: [*a, *b]\n  x: 3\n", "f.yaml", "", new Problems());
        Assert.Equal("{ x: 3, y: 1, z: 2 }", NodeText.Flow(tree["c"]!));
    }

    [Fact]
    public void Quoted_values_and_those_tagged_as_text_are_text()
    {
        var tree = (MapNode)YamlTree.Read("a: '1'\nb: !!str 1\nc: |\n  1\nd: ! 1\n", "f.yaml", "", new Problems());
        Assert.All(tree.Entries, entry => Assert.Equal(ScalarKind.Text, ((ScalarNode)entry.Value).Kind));
    }

    [Fact]
    public void What_refers_to_itself_is_refused() =>
        Assert.Equal("f.yaml:1:8: *a has no anchor &a before it",
            Assert.Throws<ConfigException>(() => YamlTree.Read("a: &a [*a]\n", "f.yaml", "", new Problems())).Message);

    private static JsonNode? Values(ConfigNode node) => node is MapNode map
        ? new JsonObject(map.Entries.Select(entry => KeyValuePair.Create(entry.Key, entry.Value is ScalarNode { Text: ".inf" } ? "Infinity" : Values(entry.Value))))
        : JsonSerializer.SerializeToNode(NodeText.ToJson(node));
}
