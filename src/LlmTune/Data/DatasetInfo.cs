using System.Text.Json;
using LlmTune.Config;
using LlmTune.Data.Formats;
using LlmTune.Io;

namespace LlmTune.Data;

/// <summary>
/// LLaMA-Factory's dataset_info.json: the entry of a name says where a data set lies, its form, its columns and what its turns are
/// called. Entries that only name a place in the net are refused, because nothing is downloaded here.
/// </summary>
internal static class DatasetInfo
{
    public const string FileName = "dataset_info.json";

    /// <summary>LLaMA-Factory's names of columns for alpaca, as ours.</summary>
    private static readonly Dictionary<string, string> AlpacaParts = new()
    {
        ["prompt"] = "instruction",
        ["query"] = "input",
        ["response"] = "output",
        ["history"] = "history",
        ["system"] = "system",
    };

    private static readonly Dictionary<string, string> ShareGptParts = new() { ["messages"] = "conversations", ["system"] = "system", ["tools"] = "tools" };

    private static readonly Dictionary<string, string> OpenAiParts = new() { ["messages"] = "messages", ["system"] = "system", ["tools"] = "tools" };

    /// <summary>LLaMA-Factory's names of roles, its own words for them, and ours.</summary>
    private static readonly (string Tag, string Default, string Role)[] Roles =
    [
        ("user_tag", "human", "user"), ("assistant_tag", "gpt", "assistant"), ("observation_tag", "observation", "tool"),
        ("function_tag", "function_call", "function_call"), ("system_tag", "system", "system"),
    ];

    /// <summary>What an entry may say. Those of places in the net mean nothing where there is a file.</summary>
    private static readonly string[] Keys =
    [
        "file_name", "hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name", "load_from", "subset", "folder", "split", "num_samples",
        "formatting", "ranking", "columns", "tags",
    ];

    private static readonly string[] Formattings = ["alpaca", "sharegpt", "openai"];

    private static readonly string[] Tagged = ["role_tag", "content_tag", .. Roles.Select(role => role.Tag)];

    /// <summary>Opens the source that the entry describes; what the run file says itself comes first.</summary>
    /// <exception cref="RequestException">There is no such entry, or it cannot be read here.</exception>
    public static Source Open(SourceConfig config, RowSettings given)
    {
        var file = Path.Combine(config.Dir!, FileName);
        var entry = Entry(file, config.Name!);
        var place = $"{file}, {config.Name}";
        RequireKnown(entry, Keys, place);
        if (entry.TryGetProperty("tags", out var tags)) RequireKnown(tags, Tagged, $"{place}, tags");
        var formatting = Text(entry, "formatting")?.ToLowerInvariant() ?? "alpaca";
        var path = Text(entry, "file_name") is { } name ? Path.Combine(config.Dir!, name)
            : Text(entry, "hf_hub_url") ?? throw new RequestException($"{place}: has neither file_name nor hf_hub_url, from which alone rows are read here");
        RefuseMedia(entry, place);
        var judged = JudgedFormat(entry);
        var parts = formatting switch
        {
            "alpaca" => AlpacaParts,
            "sharegpt" => ShareGptParts,
            "openai" => OpenAiParts,
            _ => throw new RequestException(
                $"{place}: formatting '{formatting}' is not read here{Suggest.Hint(Suggest.Nearest(formatting, Formattings))}; expected {Suggest.Either(Formattings)}"),
        };
        var columns = Columns(entry, judged is null ? parts : JudgedParts(parts, judged), place);
        var format = judged ?? (formatting == "openai" ? "messages" : formatting);
        if (formatting == "alpaca" && columns.Count == 1 && columns.TryGetValue("instruction", out var text))
            (format, columns) = ("text", new Dictionary<string, string> { ["text"] = text });   // a corpus of texts has a prompt and nothing else
        var (keys, roles) = Tags(entry);
        var source = config with
        {
            Path = path,
            Name = null,
            Dir = null,
            Format = config.Format ?? format,
            Split = config.Split ?? (File.Exists(path) ? null : Text(entry, "split")),
            Limit = Least(config.Limit, entry.TryGetProperty("num_samples", out var samples) && samples.TryGetInt32(out var count) ? count : null),
            Label = config.Label ?? config.Name,
        };
        given = given with { Columns = columns };
        return Source.Open(source, formatting == "sharegpt" ? given with { TurnKeys = keys, Roles = roles } : given);
    }

    private static JsonElement Entry(string file, string name)
    {
        if (!File.Exists(file)) throw new RequestException($"{file} does not exist: 'name' and 'dir' of a source speak of an entry in it");
        var all = JsonFile.Read(file);
        if (all.ValueKind == JsonValueKind.Object && all.TryGetProperty(name, out var entry) && entry.ValueKind == JsonValueKind.Object) return entry;
        var names = all.ValueKind == JsonValueKind.Object ? all.EnumerateObject().Select(p => p.Name).ToList() : [];
        throw new RequestException($"{file} has no entry '{name}'{Suggest.Hint(Suggest.Nearest(name, names))}");
    }

    /// <summary>
    /// The format of judged answers: <c>ranking: true</c> is said of a chosen and a rejected one (of a list of them in older files), a column
    /// for kto_tag names labels. Null where the answers are not judged.
    /// </summary>
    private static string? JudgedFormat(JsonElement entry)
    {
        bool HasColumn(string name) => entry.TryGetProperty("columns", out var columns) && columns.TryGetProperty(name, out _);
        if (entry.TryGetProperty("ranking", out var ranking) && ranking.ValueKind == JsonValueKind.True)
            return HasColumn("response") && !HasColumn("chosen") ? Ranking.Format.Name : Preference.Format.Name;
        return HasColumn("kto_tag") ? Kto.Format.Name : null;
    }

    /// <exception cref="RequestException">Keys that mean nothing, which LLaMA-Factory passes over in silence.</exception>
    private static void RequireKnown(JsonElement entry, string[] known, string place)
    {
        if (entry.ValueKind != JsonValueKind.Object) throw new RequestException($"{place}: is {Sources.Kinds.Describe(entry)}, expected an object");
        var unknown = entry.EnumerateObject().Select(property => property.Name).Where(name => !known.Contains(name))
            .Select(name => $"unknown key '{name}'{Suggest.Hint(Suggest.Nearest(name, known))}").ToList();
        if (unknown.Count > 0) throw new RequestException($"{place}: {string.Join("; ", unknown)}");
    }

    private static int? Least(int? a, int? b) => a is null ? b : b is null ? a : Math.Min(a.Value, b.Value);

    private static Dictionary<string, string> JudgedParts(Dictionary<string, string> parts, string format)
    {
        var judged = new Dictionary<string, string>(parts) { ["chosen"] = "chosen", ["rejected"] = "rejected", ["kto_tag"] = "label" };
        if (judged.ContainsKey("messages")) judged["messages"] = "conversations";
        if (judged.ContainsKey("response")) judged["response"] = format == Ranking.Format.Name ? "completions" : "completion";
        return judged;
    }

    private static void RefuseMedia(JsonElement entry, string place)
    {
        if (!entry.TryGetProperty("columns", out var columns)) return;
        foreach (var column in columns.EnumerateObject())
        {
            if (column.Name is "images" or "videos" or "audios") throw new RequestException($"{place}: its rows hold {column.Name}; only text is trained on");
        }
    }

    private static Dictionary<string, string> Columns(JsonElement entry, Dictionary<string, string> parts, string place)
    {
        var columns = new Dictionary<string, string>();
        if (!entry.TryGetProperty("columns", out var given)) return columns;
        foreach (var column in given.EnumerateObject())
        {
            if (!parts.TryGetValue(column.Name, out var part))
            {
                throw new RequestException(
                    $"{place}: the column '{column.Name}' is not read here{Suggest.Hint(Suggest.Nearest(column.Name, parts.Keys))}; expected {string.Join(", ", parts.Keys)}");
            }
            if (column.Value.ValueKind == JsonValueKind.Null) continue;
            columns[part] = column.Value.ValueKind == JsonValueKind.String
                ? column.Value.GetString()! : throw new RequestException($"{place}: the column '{column.Name}' is {Sources.Kinds.Describe(column.Value)}, expected the name of a column");
        }
        return columns;
    }

    private static ((string Role, string Content) Keys, Dictionary<string, string> Roles) Tags(JsonElement entry)
    {
        var tags = entry.TryGetProperty("tags", out var given) ? given : default;
        string Tag(string name, string otherwise) => tags.ValueKind == JsonValueKind.Object ? Text(tags, name) ?? otherwise : otherwise;
        return ((Tag("role_tag", "from"), Tag("content_tag", "value")), Roles.ToDictionary(r => Tag(r.Tag, r.Default), r => r.Role));
    }

    private static string? Text(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
