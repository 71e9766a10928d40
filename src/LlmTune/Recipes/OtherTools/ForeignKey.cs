using LlmTune.Config;

namespace LlmTune.Recipes.OtherTools;

/// <summary>A key of another tool's run file: what becomes of it, and what it is there if it is not given.</summary>
/// <param name="Name">As it stands there; <c>peft.x</c> for a key in a section; a star at the end stands for any ending.</param>
/// <param name="Default">The value without the key; said only where ours would be another.</param>
internal sealed record ForeignKey(string Name, Rule Rule, string? Default = null)
{
    public bool Fits(string key) => Name[^1] == '*' ? key.StartsWith(Name[..^1], StringComparison.Ordinal) : Name == key;
}

/// <summary>Says what becomes of an entry, by exactly one call of <c>Became</c>, <c>NoEffect</c> or <c>Refuse</c>.</summary>
internal delegate void Rule(Draft draft, ForeignEntry entry);

/// <summary>A key with a value, which is never null.</summary>
/// <param name="Place">Of the key.</param>
/// <param name="IsDefault">It is not in the file; this is what the tool takes then.</param>
internal sealed record ForeignEntry(string Key, Place Place, ConfigNode Value, bool IsDefault = false)
{
    /// <summary>The value as text; empty for lists and sections.</summary>
    public string Text => (Value as ScalarNode)?.Text ?? "";

    /// <summary>Not switched on: false, 0, none, or nothing in it.</summary>
    public bool IsOff => Value switch
    {
        ScalarNode { Kind: ScalarKind.Null } => true,
        ScalarNode { Kind: ScalarKind.Bool } scalar => !CoreSchema.Bool(scalar.Text),
        ScalarNode { Kind: ScalarKind.Int or ScalarKind.Float } scalar => CoreSchema.Float(scalar.Text) == 0,
        ScalarNode scalar => scalar.Text is "" or "none" or "None",
        ListNode list => list.Items.Count == 0,
        MapNode map => map.Entries.Count == 0,
        _ => false,
    };

    /// <summary>A list, or a text of names between commas.</summary>
    public IReadOnlyList<ScalarNode> Names => Value switch
    {
        ListNode list => [.. list.Items.OfType<ScalarNode>()],
        ScalarNode scalar => [.. scalar.Text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Quoted)],
        _ => [],
    };

    /// <summary>Another value in the same place, as it is written in a run file.</summary>
    public ScalarNode Plain(string text) => new(Value.Place, text, Quoted: false);

    /// <summary>A text in the same place.</summary>
    public ScalarNode Quoted(string text) => new(Value.Place, text, Quoted: CoreSchema.KindOf(text) != ScalarKind.Text);
}
