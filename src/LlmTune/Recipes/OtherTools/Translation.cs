using LlmTune.Config;

namespace LlmTune.Recipes.OtherTools;

/// <summary>What has become of a key of another tool's file: a setting of ours, nothing for a reason, or a refusal.</summary>
/// <param name="Value">In one line, as it stands there.</param>
public sealed record TranslatedKey(string Key, string Value, Place Place)
{
    /// <summary>Our setting with its value; null where it has no effect or is refused.</summary>
    public string? Ours { get; init; }

    /// <summary>What there is to know about it; of a key without effect the reason.</summary>
    public string? Note { get; init; }

    public bool Refused { get; init; }

    /// <summary>It is not in the file: what the tool takes without it.</summary>
    public bool IsDefault { get; init; }
}

/// <summary>A run file of another tool in the form of ours.</summary>
public sealed class Translation
{
    private const int WidestAligned = 48;

    private readonly ConfigNode _tree;
    private readonly Problems _problems;

    internal Translation(
        string tool, string file, IReadOnlyList<TranslatedKey> keys, IReadOnlyList<string> notes, ConfigNode tree, Problems problems) =>
        (Tool, File, Keys, Notes, _tree, _problems) = (tool, file, keys, notes, tree, problems);

    /// <summary>The name of the tool.</summary>
    public string Tool { get; }

    public string File { get; }

    /// <summary>Every key of the file once, and the tool's defaults that are not ours.</summary>
    public IReadOnlyList<TranslatedKey> Keys { get; }

    /// <summary>What there is to know about the run as a whole.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>The run, with settings changed by our names.</summary>
    /// <exception cref="ConfigException">Everything that has no counterpart, and every value that is wrong.</exception>
    public RunConfig Config(params IEnumerable<string> overrides)
    {
        var read = new Problems();
        var config = ConfigFile.Read<RunConfig>(_tree, overrides, read);
        if (config is not null && _problems.Count == 0) return config;
        var all = new Problems();
        foreach (var problem in _problems.Count > 0 ? _problems.ToException().Problems : []) all.Add(problem.Place, problem.Message);
        foreach (var problem in read.Count > 0 ? read.ToException().Problems : [])
        {
            // What is missing may be missing because a key was refused.
            if (_problems.Count > 0 && problem.Place.Line == 0 && problem.Place.Source == File) continue;
            all.Add(problem.Place, Keys.FirstOrDefault(key => problem.Place.Line > 0 && key.Place.Line == problem.Place.Line) is { } key
                ? $"{key.Key}: {problem.Message}" : problem.Message);
        }
        throw all.ToException();
    }

    /// <summary>What became what, for people.</summary>
    public string Report()
    {
        var became = Keys.Where(key => key.Ours is not null).ToList();
        var theirs = became.ConvertAll(key => key.IsDefault ? $"({key.Key}: {key.Value})" : $"{key.Key}: {key.Value}");
        var width = theirs.Where(line => line.Length <= WidestAligned).Select(line => line.Length).DefaultIfEmpty().Max();
        List<string> lines =
        [
            $"{File} is a run file of {Tool}; here it means",
            .. theirs.Zip(became, (line, key) => $"  {line.PadRight(width)}  → {key.Ours}{(key.Note is null ? "" : $" ({key.Note})")}"),
        ];
        if (became.Exists(key => key.IsDefault)) lines.Add($"In brackets: not in the file, {Tool}'s default");
        var unused = Keys.Where(key => key.Ours is null && !key.Refused).GroupBy(key => key.Note!).ToList();
        if (unused.Count > 0) lines.Add("Without effect here");
        lines.AddRange(unused.Select(reason => $"  {string.Join(", ", reason.Select(Line))} ({reason.Key})"));
        if (Notes.Count > 0) lines.Add("To know");
        lines.AddRange(Notes.Select(note => $"  {note}"));
        return string.Join('\n', lines);

        static string Line(TranslatedKey key) => key.Value is "null" or "" ? key.Key : $"{key.Key}: {key.Value}";
    }
}
