using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmTune.Config;

/// <summary>Names to values of any kind, lists and sections too.</summary>
internal sealed class TreeForm : Form
{
    public override string Expected => "a section of names and values";

    public override object Read(ConfigNode node, Reading reading) => node is MapNode ? new ValueTree((JsonObject)NodeText.ToJson(node)!) : throw Mismatch(node);

    public override ConfigNode Write(object value) => Node(((ValueTree)value).ToJson());

    public override JsonObject Schema() => new() { ["type"] = "object" };

    private static ConfigNode Node(JsonNode? value) => value switch
    {
        null => ScalarNode.Null,
        JsonObject map => new MapNode(Place.None, [.. map.Select(entry => new MapEntry(entry.Key, Place.None, Node(entry.Value)))]),
        JsonArray list => new ListNode(Place.None, [.. list.Select(Node)]),
        _ when value.GetValueKind() == JsonValueKind.String => ScalarNode.Of(value.GetValue<string>()),
        _ => ScalarNode.Plain(value.ToJsonString()),
    };
}
