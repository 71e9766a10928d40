using System.Collections;
using System.Text.Json.Nodes;

namespace LlmTune.Config;

/// <summary>A <see cref="ValueList{T}"/>.</summary>
internal sealed class ListForm(Type item) : Form
{
    private readonly Type _list = typeof(ValueList<>).MakeGenericType(item);

    public Form Item { get; } = Forms.Of(item);

    public override string Expected => "a list";

    public override object Read(ConfigNode node, Reading reading)
    {
        if (node is not ListNode list)
            throw Mismatch(node, Suggest.Write(Example(node) ?? (node is ScalarNode { Kind: not ScalarKind.Null } scalar ? $"[{scalar.Text}]" : null)));
        var items = Array.CreateInstance(item, list.Items.Count);
        for (var i = 0; i < items.Length; i++)
        {
            if (reading.At($"{i}").Part(Item, list.Items[i]) is { } value) items.SetValue(value, i);
        }
        return Activator.CreateInstance(_list, items)!;
    }

    public override string? Example(ConfigNode node) => Item.Example(node) is { } item ? $"[{item}]" : null;

    public override ConfigNode Write(object value) => new ListNode(Place.None, [.. ((IEnumerable)value).Cast<object>().Select(Item.Write)]);

    public override JsonObject Schema() => new() { ["type"] = "array", ["items"] = Item.Schema() };

    public override IEnumerable<SettingInfo> Settings(string path) => Item.Settings(Paths.Join(path, "0"));
}

/// <summary>Names to texts, in any number.</summary>
internal sealed class TextMapForm : Form
{
    private static readonly TextForm Text = new();

    public override string Expected => "a section of names and texts";

    public override object Read(ConfigNode node, Reading reading)
    {
        if (node is not MapNode map) throw Mismatch(node);
        return new ValueDictionary(map.Entries.Select(entry =>
            KeyValuePair.Create(entry.Key, (string?)reading.At(entry.Key).Part(Text, entry.Value) ?? "")));
    }

    public override ConfigNode Write(object value) =>
        new MapNode(Place.None, [.. ((ValueDictionary)value).Select(entry => new MapEntry(entry.Key, Place.None, Text.Write(entry.Value)))]);

    public override JsonObject Schema() => new() { ["type"] = "object", ["additionalProperties"] = Text.Schema() };
}
