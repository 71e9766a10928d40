using System.Globalization;
using System.Text;
using System.Text.Json;
using LlmTune.Data.Sources;
using LlmTune.Io;

namespace LlmTune.Data.Formats;

/// <summary>A row seen through its format: parts by name, found by the user's <c>columns</c> first, then by the format's own names.</summary>
public readonly struct Fields
{
    private readonly JsonElement _row;
    private readonly RowFormat _format;
    private readonly RowSettings _settings;

    public Fields(JsonElement row, RowFormat format, RowSettings settings)
    {
        _row = row;
        _format = format;
        _settings = settings;
    }

    public RowSettings Settings => _settings;

    /// <summary>Whether the part is there; null counts as missing.</summary>
    public bool Has(string part) => IsTemplated(part) || TryGet(part, out _);

    /// <summary>Whether the part has a column, and its value is null.</summary>
    public bool IsNull(string part) => TryFind(part, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>The value of a part; false where it is missing or null.</summary>
    public bool TryGet(string part, out JsonElement value) => TryFind(part, out value) && value.ValueKind != JsonValueKind.Null;

    public JsonElement Get(string part) => TryGet(part, out var value) ? value : throw Missing(part);

    /// <summary>A text that must be there.</summary>
    public string Text(string part)
    {
        if (IsTemplated(part)) return _settings.Template!.Fill(_row);
        var value = Get(part);
        return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(part, value, "a text");
    }

    /// <summary>A text that may be missing; missing, null and empty are the same.</summary>
    public string? OptionalText(string part)
    {
        if (!TryGet(part, out var value)) return null;
        if (value.ValueKind != JsonValueKind.String) throw Wrong(part, value, "a text");
        return value.GetString() is { Length: > 0 } text ? text : null;
    }

    /// <summary>A list that must be there and have something in it; it may be written as JSON text, as tables of texts have it.</summary>
    public JsonElement List(string part)
    {
        var value = Get(part);
        if (value.ValueKind == JsonValueKind.String && value.GetString()!.AsSpan().TrimStart() is ['[', ..]) value = Parsed(part, value.GetString()!);
        if (value.ValueKind != JsonValueKind.Array) throw Wrong(part, value, "a list");
        return value.GetArrayLength() > 0 ? value : throw new RowException($"'{ColumnOf(part)}' is empty");
    }

    /// <summary>The same; false where it is not there, or no list that can be read.</summary>
    public bool TryList(string part, out JsonElement list)
    {
        if (!TryGet(part, out list)) return false;
        if (list.ValueKind == JsonValueKind.String && Turns.Parse(list.GetString()!) is { } parsed) list = parsed;
        return list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 0;
    }

    private JsonElement Parsed(string part, string text)
    {
        if (Turns.Parse(text) is { } parsed) return parsed;
        var mistake = JsonMistake.Find(Encoding.UTF8.GetBytes(text));
        throw new RowException($"'{ColumnOf(part)}' is a text that is not JSON: {mistake.What}");
    }

    internal RowException Wrong(string part, JsonElement found, string expected) =>
        new($"'{ColumnOf(part)}' is {Kinds.Describe(found)}, expected {expected}");

    /// <summary>The column that a part stands for in messages.</summary>
    public string ColumnOf(string part)
    {
        if (_settings.Columns.TryGetValue(part, out var mapped)) return mapped;
        foreach (var name in Names(part))
        {
            if (_row.TryGetProperty(name, out _)) return name;
            if (Respelled(name, out var spelled, out _)) return spelled;
        }
        return part;
    }

    private RowException Missing(string part)
    {
        var column = ColumnOf(part);
        return TryFind(part, out _)
            ? new RowException($"'{column}' is null")
            : new RowException($"has no '{column}'; found {string.Join(", ", _row.EnumerateObject().Select(p => p.Name))}");
    }

    private bool IsTemplated(string part) => _settings.Template is not null && part == _format.PromptPart;

    private bool TryFind(string part, out JsonElement value)
    {
        if (_settings.Columns.TryGetValue(part, out var path)) return TryPath(_row, path, out value);
        var empty = default(JsonElement);   // a null under one name does not hide what stands under another
        foreach (var name in Names(part))
        {
            if (!_row.TryGetProperty(name, out value) && !Respelled(name, out _, out value)) continue;
            if (value.ValueKind != JsonValueKind.Null) return true;
            empty = value;
        }
        value = empty;
        return empty.ValueKind == JsonValueKind.Null;
    }

    /// <summary>The column that has this name in another spelling.</summary>
    private bool Respelled(string name, out string spelled, out JsonElement value)
    {
        value = default;
        return _settings.Spelling.TryGetValue(name, out spelled!) && _row.TryGetProperty(spelled, out value);
    }

    private IEnumerable<string> Names(string part)
    {
        yield return part;
        foreach (var candidate in _format.Parts)
        {
            if (candidate.Name != part) continue;
            foreach (var alias in candidate.Aliases) yield return alias;
        }
    }

    /// <summary>A column, or a place in it: <c>instances.0.output</c>.</summary>
    internal static bool TryPath(JsonElement row, string path, out JsonElement value)
    {
        if (row.TryGetProperty(path, out value)) return true;
        value = row;
        foreach (var step in path.Split('.'))
        {
            if (value.ValueKind == JsonValueKind.Object)
            {
                if (!value.TryGetProperty(step, out value)) return false;
            }
            else if (value.ValueKind != JsonValueKind.Array || !int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
                || index >= value.GetArrayLength())
            {
                return false;
            }
            else
            {
                value = value[index];
            }
        }
        return true;
    }
}

/// <summary>What a source's settings say about its rows.</summary>
public sealed record RowSettings
{
    public static RowSettings Default { get; } = new();

    /// <summary>Which column plays which part.</summary>
    public IReadOnlyDictionary<string, string> Columns { get; init; } = new Dictionary<string, string>();

    /// <summary>Columns that are written otherwise than formats write them, by the plain form of their names: <c>system_prompt</c> for <c>System Prompt</c>.</summary>
    public IReadOnlyDictionary<string, string> Spelling { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether the model has a chat template, so that a question and its answer become a conversation.</summary>
    public bool HasTemplate { get; init; }

    /// <summary>Text with columns in braces that takes the place of the prompt.</summary>
    public PromptTemplate? Template { get; init; }

    /// <summary>Roles that are trained on; a conversation needs a turn of one of them.</summary>
    public IReadOnlyList<string> TrainedRoles { get; init; } = ["assistant"];

    /// <summary>Whether prompts are trained on too, so that a list of messages as a prompt is not masked.</summary>
    public bool TrainOnPrompt { get; init; }

    /// <summary>Names that a file gives to roles, beside the known ones: from its own name to ours.</summary>
    public IReadOnlyDictionary<string, string> Roles { get; init; } = new Dictionary<string, string>();

    /// <summary>What a turn's role and content are called, where the format's own names do not hold.</summary>
    public (string Role, string Content)? TurnKeys { get; init; }

    /// <summary>The same for rows with these columns, whatever the case of their names and the spaces in and around them.</summary>
    public RowSettings SpelledAs(IEnumerable<string> columns)
    {
        var spelling = new Dictionary<string, string>();
        foreach (var column in columns)
        {
            var plain = column.Trim().ToLowerInvariant().Replace(' ', '_').Replace('-', '_');
            if (plain != column) spelling.TryAdd(plain, column);
        }
        return this with { Spelling = spelling };
    }
}
