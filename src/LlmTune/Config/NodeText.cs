using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace LlmTune.Config;

/// <summary>Nodes to text.</summary>
internal static partial class NodeText
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonNode? ToJson(ConfigNode node) => node switch
    {
        MapNode map => new JsonObject(map.Entries.Select(entry => KeyValuePair.Create(entry.Key, ToJson(entry.Value)))),
        ListNode list => new JsonArray([.. list.Items.Select(ToJson)]),
        ScalarNode { Kind: ScalarKind.Null } => null,
        ScalarNode { Kind: ScalarKind.Bool } scalar => CoreSchema.Bool(scalar.Text),
        ScalarNode { Kind: ScalarKind.Int } scalar when CoreSchema.TryInt(scalar.Text, out var value) => value,
        ScalarNode { Kind: ScalarKind.Int or ScalarKind.Float } scalar => CoreSchema.Float(scalar.Text),
        ScalarNode scalar => scalar.Text,
        _ => throw new ArgumentException("unknown node", nameof(node)),
    };

    public static string Json(JsonNode? node) => (node?.ToJsonString(Indented) ?? "null") + "\n";

    /// <summary>Block style; lists of single values in one line.</summary>
    public static string Yaml(ConfigNode node)
    {
        var text = new StringBuilder();
        Block(node, 0, text);
        return text.ToString();
    }

    /// <summary>In one line.</summary>
    public static string Flow(ConfigNode node) => node switch
    {
        MapNode { Entries.Count: 0 } => "{}",
        MapNode map => $"{{ {string.Join(", ", map.Entries.Select(entry => $"{Key(entry.Key)}: {Flow(entry.Value)}"))} }}",
        ListNode list => $"[{string.Join(", ", list.Items.Select(Flow))}]",
        ScalarNode { Quoted: false } scalar when CoreSchema.KindOf(scalar.Text) != ScalarKind.Text => scalar.Text,
        ScalarNode scalar => Quoted(scalar.Text),
        _ => throw new ArgumentException("unknown node", nameof(node)),
    };

    private static void Block(ConfigNode node, int indent, StringBuilder text)
    {
        foreach (var (key, _, value) in ((MapNode)node).Entries)
        {
            text.Append(' ', indent).Append(Key(key)).Append(':');
            switch (value)
            {
                case MapNode { Entries.Count: > 0 }:
                    text.Append('\n');
                    Block(value, indent + 2, text);
                    break;
                case ListNode list when list.Items.Any(item => item is MapNode):
                    text.Append('\n');
                    foreach (var item in list.Items) Item(item, indent + 2, text);
                    break;
                default:
                    text.Append(' ').Append(Flow(value)).Append('\n');
                    break;
            }
        }
    }

    private static void Item(ConfigNode item, int indent, StringBuilder text)
    {
        var start = text.Length;
        if (item is MapNode { Entries.Count: > 0 }) Block(item, indent + 2, text);
        else text.Append(' ', indent + 2).Append(Flow(item)).Append('\n');
        text[start + indent] = '-';
    }

    /// <summary>As it is where every YAML reader takes it for the same text, else in JSON's double quotes, which are YAML's too.</summary>
    private static string Quoted(string text) =>
        Harmless().IsMatch(text) && CoreSchema.KindOf(text) == ScalarKind.Text && !Yaml11Words.Contains(text, StringComparer.OrdinalIgnoreCase)
            ? text : JsonSerializer.Serialize(text, Indented);

    /// <summary>Every reader of keys takes them for text, whatever they look like.</summary>
    private static string Key(string key) =>
        key.Length > 0 && key.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') ? key : JsonSerializer.Serialize(key, Indented);

    private static readonly string[] Yaml11Words = ["yes", "no", "on", "off", "y", "n"];

    [GeneratedRegex(@"^[\p{L}_./~\\][\p{L}\p{N}_./\\+@$()*|^-]*( [\p{L}\p{N}_./\\+@$()*|^-]+)*\z|^[0-9]+[\p{L}_/][\p{L}\p{N}_./-]*\z")]
    private static partial Regex Harmless();
}
