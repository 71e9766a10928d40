using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using LlmTune.Io;

namespace LlmTune.Data.Sources;

/// <summary>The bytes of one JSON value as a row. Whatever is wrong is a problem of this row, never of the reader.</summary>
internal static class RowParser
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    public static Row Parse(ReadOnlySpan<byte> json, string file, long line)
    {
        if (json.StartsWith("\uFEFF"u8)) json = json[3..];   // where files with a byte order mark were joined
        if (!Utf8.IsValid(json)) return Row.Bad(file, line, "is not UTF-8; convert the file, for example with iconv");
        if (HasLoneSurrogate(json)) return Row.Bad(file, line, "holds half of a surrogate pair as an escape (\\ud800 to \\udfff), which is no text");
        try
        {
            var value = JsonElement.Parse(json, Strict);
            if (TurnList.Is(value)) return new Row(TurnList.Row(value.EnumerateArray()), file, line);
            return value.ValueKind == JsonValueKind.Object
                ? new Row(value, file, line)
                : Row.Bad(file, line, $"is {Kinds.Describe(value)}; a row is an object: {{\"column\": …}}");
        }
        catch (JsonException)
        {
            return Row.Bad(file, line, Explain(json));
        }
    }

    private static string Explain(ReadOnlySpan<byte> json)
    {
        var text = json.TrimEnd(" \t\r"u8);
        if (text is [(byte)'{' or (byte)'['])
        {
            var (what, rows) = text[0] == '{' ? ("an object", "indented objects") : ("a list", "one list of rows");
            return $"ends within {what}: a .jsonl file has one object a line; name a file of {rows} .json";
        }
        if (Twice(json) is { } name) return $"names '{name}' twice; of two values only one can be meant";
        var mistake = JsonMistake.Find(json);
        return FormattableString.Invariant($"is not JSON: character {Encoding.UTF8.GetCharCount(json[..mistake.Offset]) + 1}: {mistake.What}");
    }

    /// <summary>A name that an object of otherwise good JSON holds twice.</summary>
    private static string? Twice(ReadOnlySpan<byte> json)
    {
        try
        {
            return Twice(JsonElement.Parse(json));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? Twice(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().CountBy(property => property.Name).FirstOrDefault(name => name.Value > 1).Key
            ?? value.EnumerateObject().Select(property => Twice(property.Value)).FirstOrDefault(name => name is not null),
        JsonValueKind.Array => value.EnumerateArray().Select(Twice).FirstOrDefault(name => name is not null),
        _ => null,
    };

    /// <summary>Looks for an escape of half a pair; in JSON a backslash only stands within strings, so no state is needed.</summary>
    internal static bool HasLoneSurrogate(ReadOnlySpan<byte> json)
    {
        for (var rest = json; ;)
        {
            var at = rest.IndexOf((byte)'\\');
            if (at < 0 || at + 1 >= rest.Length) return false;
            rest = rest[at..];
            if (Escape(rest) is not { } unit)
            {
                rest = rest[2..];
                continue;
            }
            if (char.IsLowSurrogate(unit)) return true;
            if (!char.IsHighSurrogate(unit))
            {
                rest = rest[6..];
                continue;
            }
            if (Escape(rest[6..]) is not { } next || !char.IsLowSurrogate(next)) return true;
            rest = rest[12..];
        }
    }

    /// <summary>The code unit of an escape <c>\uXXXX</c> that the text begins with.</summary>
    private static char? Escape(ReadOnlySpan<byte> text) =>
        text is [(byte)'\\', (byte)'u', _, _, _, _, ..]
        && ushort.TryParse(text.Slice(2, 4), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var unit) ? (char)unit : null;
}
