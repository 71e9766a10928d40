namespace LlmTune.Config;

/// <summary>Where something was written.</summary>
/// <param name="Source">The file as the user named it, or <c>adapter.r=8 (command line)</c>.</param>
/// <param name="Folder">What relative paths written there are relative to.</param>
/// <param name="Line">From 1; 0 where lines make no sense.</param>
/// <param name="Column">From 1.</param>
public sealed record Place(string Source, string Folder, long Line = 0, long Column = 0)
{
    /// <summary>Of values that were not read from anywhere.</summary>
    public static Place None { get; } = new("", "");

    public override string ToString() => Line == 0 ? Source : $"{Source}:{Line}:{Column}";
}

/// <summary>A run file as it is written, before it means anything.</summary>
public abstract record ConfigNode(Place Place)
{
    /// <summary>What stands here, for messages.</summary>
    public abstract string Described { get; }
}

/// <summary>A single value. Quoted ones are text, whatever they look like.</summary>
public sealed record ScalarNode(Place Place, string Text, bool Quoted) : ConfigNode(Place)
{
    public static ScalarNode Null { get; } = Plain("null");

    public ScalarKind Kind => Quoted ? ScalarKind.Text : CoreSchema.KindOf(Text);

    /// <summary>Nothing was written at all: <c>key:</c></summary>
    public bool IsEmpty => !Quoted && Text.Length == 0;

    public override string Described => Kind switch
    {
        ScalarKind.Null => "nothing",
        ScalarKind.Text => $"'{(Text.Length > 60 ? Text[..57] + "..." : Text)}'",
        _ => Text,
    };

    public static ScalarNode Plain(string text) => new(Place.None, text, Quoted: false);

    /// <summary>A text, quoted if it would be read as something else.</summary>
    public static ScalarNode Of(string text) => new(Place.None, text, Quoted: CoreSchema.KindOf(text) != ScalarKind.Text);
}

public sealed record ListNode(Place Place, IReadOnlyList<ConfigNode> Items) : ConfigNode(Place)
{
    public override string Described => "a list";
}

public sealed record MapNode(Place Place, IReadOnlyList<MapEntry> Entries) : ConfigNode(Place)
{
    public override string Described => "a section";

    public ConfigNode? this[string key] => Entries.FirstOrDefault(entry => entry.Key == key)?.Value;

    /// <summary>The same with one entry set.</summary>
    public MapNode With(MapEntry entry)
    {
        List<MapEntry> entries = [.. Entries];
        var at = entries.FindIndex(e => e.Key == entry.Key);
        if (at < 0) entries.Add(entry);
        else entries[at] = entry;
        return this with { Entries = entries };
    }
}

/// <param name="Place">Of the key.</param>
public sealed record MapEntry(string Key, Place Place, ConfigNode Value);
