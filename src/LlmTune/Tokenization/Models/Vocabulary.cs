using System.Text.Json;

namespace LlmTune.Tokenization;

/// <summary>Tokens and their ids, both ways.</summary>
internal sealed class Vocabulary
{
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idsOfSpans;
    private readonly string?[] _tokens;

    private Vocabulary(Dictionary<string, int> ids, string?[] tokens)
    {
        (_ids, _tokens) = (ids, tokens);
        _idsOfSpans = ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The number of entries; ids may go beyond it.</summary>
    public int Count => _ids.Count;

    /// <summary>The highest id + 1.</summary>
    public int Size => _tokens.Length;

    public IEnumerable<KeyValuePair<string, int>> Entries => _ids;

    public int? Id(ReadOnlySpan<char> token) => _idsOfSpans.TryGetValue(token, out var id) ? id : null;

    public bool TryGetId(ReadOnlySpan<char> token, out int id) => _idsOfSpans.TryGetValue(token, out id);

    public string? Token(int id) => (uint)id < (uint)_tokens.Length ? _tokens[id] : null;

    /// <summary>Entries in order of their ids from 0 on; of repeated tokens the last id counts.</summary>
    public static Vocabulary Of(IReadOnlyList<string> tokens)
    {
        var ids = new Dictionary<string, int>(tokens.Count, StringComparer.Ordinal);
        for (var id = 0; id < tokens.Count; id++) ids[tokens[id]] = id;
        return new Vocabulary(ids, [.. tokens]);
    }

    /// <summary>An object of tokens with their ids.</summary>
    public static Vocabulary Read(JsonField field)
    {
        if (field.IsNull) throw field.Error("is missing");
        field.Object();
        var ids = new Dictionary<string, int>(field.Element.GetPropertyCount(), StringComparer.Ordinal);
        var highest = -1;
        foreach (var entry in field.Element.EnumerateObject())
        {
            var token = NameOf(entry, field);
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || id < 0)
            {
                id = new JsonField(entry.Value, field.File, $"{field.Path}[\"{token}\"]").Count();
            }
            ids[token] = id;
            highest = Math.Max(highest, id);
        }
        if (highest > 100_000 + 16L * ids.Count) throw field.Error($"the id {highest} is far beyond the {ids.Count} entries; the file is damaged");
        var tokens = new string?[highest + 1];
        foreach (var (token, id) in ids)
        {
            if (tokens[id] is { } other) throw field.Error($"\"{other}\" and \"{token}\" both have the id {id}");
            tokens[id] = token;
        }
        return new Vocabulary(ids, tokens);
    }

    private static string NameOf(JsonProperty entry, JsonField field)
    {
        try
        {
            return entry.Name;
        }
        catch (InvalidOperationException)
        {
            throw field.Error("an entry holds half of a surrogate pair, which is no text");
        }
    }
}
