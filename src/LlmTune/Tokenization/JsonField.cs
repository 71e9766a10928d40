using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Tokenization;

/// <summary>
/// A value of a JSON file together with its place in it, so that whatever is wrong is said with file and path:
/// <c>tokenizer.json: model.merges[1]: expected two parts, found 'th e n'</c>. Of repeated keys the last one counts.
/// </summary>
internal readonly record struct JsonField(JsonElement Element, string File, string Path)
{
    /// <exception cref="RequestException">The file is not there, not UTF-8 or not JSON.</exception>
    public static JsonField Load(string file) => new(JsonFile.Read(file), file, "");

    public bool IsNull => Element.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    /// <summary>A member; its <see cref="IsNull"/> where there is none.</summary>
    public JsonField this[string name] =>
        new(
            Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(name, out var value) ? value : default,
            File,
            Path.Length == 0 ? name : $"{Path}.{name}");

    public RequestException Error(string problem) => new(Path.Length == 0 ? $"{File}: {problem}" : $"{File}: {Path}: {problem}");

    /// <summary>What is wrong with an item of a list.</summary>
    public RequestException Error(string problem, int index) => new($"{File}: {Path}[{index}]: {problem}");

    private RequestException Expected(string what) => Error($"expected {what}, found {Describe()}");

    private string Describe()
    {
        if (Element.ValueKind == JsonValueKind.Undefined) return "nothing";
        var text = Element.GetRawText();
        return Element.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "a list",
            _ => text.Length <= 60 ? text : text[..60] + "…",
        };
    }

    public JsonField Object() => Element.ValueKind == JsonValueKind.Object ? this : throw Expected("an object");

    public JsonField[] Items()
    {
        if (Element.ValueKind != JsonValueKind.Array) throw Expected("a list");
        var (file, path) = (File, Path);
        return [.. Element.EnumerateArray().Select((e, i) => new JsonField(e, file, $"{path}[{i}]"))];
    }

    public string Text()
    {
        if (Element.ValueKind != JsonValueKind.String) throw Expected("a text");
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Error($"{Describe()} holds half of a surrogate pair, which is no text");
        }
    }

    public string? TextOrNull() => IsNull ? null : Text();

    public bool Flag() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Expected("true or false"),
    };

    public bool Flag(bool otherwise) => IsNull ? otherwise : Flag();

    public int Count() =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var value) && value >= 0
            ? value
            : throw Expected("a whole number from 0 to 2147483647");

    public double Number() => Element.ValueKind == JsonValueKind.Number ? Element.GetDouble() : throw Expected("a number");

    /// <summary>One of a set of words.</summary>
    public T Choice<T>(params ReadOnlySpan<(string Word, T Value)> choices)
    {
        var text = Text();
        foreach (var (word, value) in choices)
        {
            if (word == text) return value;
        }
        var words = string.Join(", ", choices.ToArray().Select(c => $"\"{c.Word}\""));
        throw Error($"expected one of {words}, found \"{text}\"");
    }
}
