using LlmTune.Config;

namespace LlmTune.Recipes.OtherTools;

/// <summary>A run file of ours in the making: what has become of the keys so far.</summary>
internal sealed class Draft
{
    private readonly Dictionary<string, ForeignEntry> _entries = [];
    private readonly List<TranslatedKey> _keys = [];
    private readonly List<string> _notes = [];
    private readonly HashSet<string> _once = [];
    private readonly Problems _problems;
    private ConfigNode _tree;

    private Draft(Place place, Problems problems) => (Place, _problems, _tree) = (place, problems, new MapNode(place, []));

    /// <summary>The file as a whole; its folder is the one that the program runs in.</summary>
    public Place Place { get; }

    /// <summary>Translates a file by the table of its tool.</summary>
    public static Translation Translate(ForeignTool tool, MapNode file)
    {
        var problems = new Problems();
        file = tool.Filled(file, problems);
        var draft = new Draft(file.Place with { Line = 0, Column = 0 }, problems);
        if (tool.OtherPurpose(file) is var (mark, purpose))
        {
            problems.Add(file.Entries.First(entry => entry.Key == mark).Place, purpose);
            return draft.Done(tool);
        }
        List<(ForeignKey? Row, ForeignEntry Entry)> given = [.. Flat(file, tool).Select(entry => (tool.Find(entry.Key), entry))];
        foreach (var (_, entry) in given)
        {
            if (entry.Value is not ScalarNode { Kind: ScalarKind.Null }) draft._entries[entry.Key] = entry;
        }
        List<(ForeignKey, ForeignEntry)> assumed =
        [
            .. from row in tool.Keys
               where row.Default is not null && !draft._entries.ContainsKey(row.Name)
               select (row, new ForeignEntry(row.Name, draft.Place, new ScalarNode(draft.Place, row.Default!, Quoted: false), IsDefault: true)),
        ];
        foreach (var (_, entry) in assumed) draft._entries[entry.Key] = entry;

        foreach (var (row, entry) in given)
        {
            if (row is null)
                draft.Refuse(entry, $"is not known as a key of {tool.Name}{Suggest.Hint(Suggest.Nearest(entry.Key, tool.Keys.Select(k => k.Name)))}");
            else if (entry.Value is ScalarNode { Kind: ScalarKind.Null }) draft.NoEffect(entry, "empty");
            else row.Rule(draft, entry);
        }
        foreach (var (row, entry) in assumed) row.Rule(draft, entry);
        tool.Finish(draft);
        draft.Note($"relative paths count from the current folder, as in {tool.Name}: {file.Place.Folder}");
        return draft.Done(tool);
    }

    /// <summary>What the file says of a key, else what the tool takes without it; null where it is nothing.</summary>
    public ForeignEntry? Entry(string key) => _entries.GetValueOrDefault(key);

    /// <summary>What <see cref="Entry"/> is as text; empty where it is nothing.</summary>
    public string Text(string key) => Entry(key)?.Text ?? "";

    /// <summary>Whether a key is there and switched on.</summary>
    public bool Has(string key) => Entry(key) is { IsOff: false };

    /// <summary>A number that a key is; 0 where it is none.</summary>
    public double Number(string key) =>
        Entry(key)?.Value is ScalarNode { Kind: ScalarKind.Int or ScalarKind.Float } scalar ? CoreSchema.Float(scalar.Text) : 0;

    /// <summary>A key has become a setting of ours.</summary>
    public void Became(ForeignEntry entry, string ours, ConfigNode value, string? note = null)
    {
        Set(ours, value);
        Shown(entry, $"{ours}: {NodeText.Flow(value)}", note);
    }

    /// <summary>A key has become part of a setting that is set elsewhere.</summary>
    public void Shown(ForeignEntry entry, string ours, string? note = null) => _keys.Add(Key(entry) with { Ours = ours, Note = note });

    /// <summary>A key changes nothing here. A default that changes nothing is not worth a word.</summary>
    public void NoEffect(ForeignEntry entry, string why)
    {
        if (!entry.IsDefault) _keys.Add(Key(entry) with { Note = why });
    }

    /// <summary>A key asks for what is not to be had.</summary>
    /// <param name="why">Follows the key: what it is, why it cannot be, and what to do.</param>
    public void Refuse(ForeignEntry entry, string why)
    {
        if (!entry.IsDefault) _keys.Add(Key(entry) with { Refused = true });
        Problem(entry.Place, entry.Value is ScalarNode { Kind: not ScalarKind.Null } ? $"{entry.Key}: {Value(entry)} {why}" : $"{entry.Key} {why}");
    }

    public void Problem(Place place, string message) => _problems.Add(place, message);

    /// <summary>The same of what several keys find.</summary>
    public void ProblemOnce(Place place, string message)
    {
        if (_once.Add(message)) Problem(place, message);
    }

    /// <summary>Something to know about the run as a whole; said once.</summary>
    public void Note(string note)
    {
        if (!_notes.Contains(note)) _notes.Add(note);
    }

    /// <summary>Writes a setting of ours.</summary>
    public void Set(string path, ConfigNode value) => _tree = Put(_tree, path.Split('.'), value);

    private Translation Done(ForeignTool tool) => new(tool.Name, Place.Source, _keys, _notes, _tree, _problems);

    private ConfigNode Put(ConfigNode? node, ReadOnlySpan<string> keys, ConfigNode value)
    {
        if (keys.IsEmpty) return value;
        var map = node as MapNode ?? new MapNode(Place, []);
        return map.With(new MapEntry(keys[0], value.Place, Put(map[keys[0]], keys[1..], value)));
    }

    /// <summary>The entries, those of sections whose keys the table knows by <c>section.key</c> one by one.</summary>
    private static IEnumerable<ForeignEntry> Flat(MapNode map, ForeignTool tool, string path = "") => map.Entries.SelectMany(entry =>
    {
        var key = Paths.Join(path, entry.Key);
        var opened = entry.Value is MapNode { Entries.Count: > 0 } && tool.Keys.Any(k => k.Name.StartsWith(key + ".", StringComparison.Ordinal));
        return opened ? Flat((MapNode)entry.Value, tool, key) : [new ForeignEntry(key, entry.Place, entry.Value)];
    });

    private static TranslatedKey Key(ForeignEntry entry) => new(entry.Key, Value(entry), entry.Place) { IsDefault = entry.IsDefault };

    /// <summary>The value in one line, unless it is a secret.</summary>
    private static string Value(ForeignEntry entry) =>
        entry.Key.EndsWith("token", StringComparison.Ordinal) && !entry.Key.StartsWith("special_tokens", StringComparison.Ordinal)
        || entry.Key.EndsWith("api_key", StringComparison.Ordinal) || entry.Key.EndsWith("secret", StringComparison.Ordinal)
            ? "…" : (entry.Value as ScalarNode)?.Text ?? NodeText.Flow(entry.Value);
}
