using System.Text.Json.Nodes;
using LlmTune.Config;

namespace LlmTune.Adapters;

/// <summary>Regular expressions over names, as Python writes them, each with a value, in the order they are tried.</summary>
internal sealed class PatternForm<T> : Form
{
    private static readonly Form Value = Forms.Of<T>();

    public override string Expected => $"a section of regular expressions, each with {Value.Expected}";

    public override object Read(ConfigNode node, Reading reading)
    {
        if (node is not MapNode map) throw Mismatch(node);
        return new ValueList<(string, T)>(map.Entries
            .Select(entry => (entry.Key, Value: IsExpression(entry, reading) ? reading.At(entry.Key).Part(Value, entry.Value) : null))
            .Where(entry => entry.Value is not null)
            .Select(entry => (entry.Key, (T)entry.Value!)));
    }

    private static bool IsExpression(MapEntry entry, Reading reading)
    {
        try
        {
            PythonRegex.Parse(entry.Key);
            return true;
        }
        catch (FormatException e)
        {
            reading.Report(entry.Place, $"has '{entry.Key}', which is not a regular expression: {e.Message}");
            return false;
        }
    }

    public override ConfigNode Write(object value) => new MapNode(
        Place.None, [.. ((ValueList<(string Pattern, T Value)>)value).Select(entry => new MapEntry(entry.Pattern, Place.None, Value.Write(entry.Value!)))]);

    public override JsonObject Schema() => new() { ["type"] = "object", ["additionalProperties"] = Value.Schema() };
}

/// <summary>One value, or a list of them.</summary>
internal sealed class OneOrMoreForm<T> : Form
{
    private static readonly Form One = Forms.Of<T>(), Many = Forms.Of<ValueList<T>>();

    public override string Expected => $"{One.Expected} or a list";

    public override object? Read(ConfigNode node, Reading reading) =>
        node is ListNode ? Many.Read(node, reading) : new ValueList<T>([(T)One.Read(node, reading)!]);

    public override ConfigNode Write(object value) => Many.Write(value);

    public override JsonObject Schema() => new() { ["anyOf"] = new JsonArray(One.Schema(), Many.Schema()) };
}
