using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Models;

/// <summary>Typed reading of a Hugging Face config.json: an error names file, key, what was found and what was expected.</summary>
public sealed class ConfigJson
{
    private readonly JsonElement _object;
    private readonly string _path;   // of nested objects, with a trailing dot

    private ConfigJson(string file, JsonElement element, string path)
    {
        File = file;
        _object = element;
        _path = path;
    }

    public string File { get; }

    /// <exception cref="RequestException">Not there, or not a JSON object.</exception>
    public static ConfigJson Read(string file)
    {
        if (!System.IO.File.Exists(file)) throw new RequestException($"{file} is not there; a model folder holds config.json");
        var root = JsonFile.Read(file);
        return root.ValueKind == JsonValueKind.Object
            ? new ConfigJson(file, root, "")
            : throw new RequestException($"{file} holds {root.ValueKind}, expected a JSON object");
    }

    /// <summary>Whether the key is there with a value other than null.</summary>
    public bool Has(string key) => _object.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>Whether the key stands there, with null too: transformers' defaults are for keys that do not.</summary>
    public bool Names(string key) => _object.TryGetProperty(key, out _);

    /// <summary>Whether the object has no keys.</summary>
    public bool IsEmpty => _object.GetPropertyCount() == 0;

    public ConfigJson? Object(string key) => Get(key, JsonValueKind.Object) is { } value ? new ConfigJson(File, value, $"{_path}{key}.") : null;

    public string? Text(string key) => Get(key, JsonValueKind.String)?.GetString();

    public bool Flag(string key, bool otherwise) =>
        !Has(key) ? otherwise : Get(key, JsonValueKind.True, JsonValueKind.False)!.Value.GetBoolean();

    public double? Number(string key) => Get(key, JsonValueKind.Number)?.GetDouble();

    public double Number(string key, double otherwise) => Number(key) ?? otherwise;

    public int? Integer(string key)
    {
        if (Get(key, JsonValueKind.Number) is not { } value) return null;
        if (value.TryGetInt32(out var integer)) return integer;
        return value.GetDouble() is var number && number == Math.Floor(number) && Math.Abs(number) < int.MaxValue
            ? (int)number
            : throw Wrong(key, value.GetRawText(), "a whole number");
    }

    /// <exception cref="RequestException">Not there.</exception>
    public int RequiredInteger(string key) => Integer(key) ?? throw new RequestException($"{File}: {_path}{key} is missing");

    /// <summary>A whole number above zero.</summary>
    public int Size(string key) => Positive(key, RequiredInteger(key));

    public int Size(string key, int otherwise) => Positive(key, Integer(key) ?? otherwise);

    /// <summary>A number, or a list of them; empty if not there.</summary>
    public IReadOnlyList<int> Integers(string key)
    {
        if (!Has(key)) return [];
        var value = _object.GetProperty(key);
        if (value.ValueKind == JsonValueKind.Number) return [RequiredInteger(key)];
        if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.TryGetInt32Safe(out _)))
            return [.. value.EnumerateArray().Select(item => item.GetInt32())];
        throw Wrong(key, value.GetRawText(), "a whole number or a list of them");
    }

    /// <summary>A list of texts; null if not there.</summary>
    public IReadOnlyList<string>? Texts(string key)
    {
        if (Get(key, JsonValueKind.Array) is not { } value) return null;
        if (value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String)) throw Wrong(key, value.GetRawText(), "a list of texts");
        return [.. value.EnumerateArray().Select(item => item.GetString()!)];
    }

    /// <summary>An error about a value of this file.</summary>
    public RequestException Wrong(string key, object? found, string expected) => new($"{File}: {_path}{key} is {found}, expected {expected}");

    private int Positive(string key, int value) => value > 0 ? value : throw Wrong(key, value, "a number above 0");

    private JsonElement? Get(string key, params JsonValueKind[] kinds)
    {
        if (!Has(key)) return null;
        var value = _object.GetProperty(key);
        return kinds.Contains(value.ValueKind) ? value : throw Wrong(key, value.GetRawText(), string.Join(" or ", kinds.Select(Word)));
    }

    private static string Word(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        _ => kind.ToString().ToLowerInvariant(),
    };
}

file static class JsonElements
{
    public static bool TryGetInt32Safe(this JsonElement element, out int value)
    {
        value = 0;
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out value);
    }
}
