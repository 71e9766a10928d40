using System.Text.Json;
using System.Text.Unicode;

namespace LlmTune.Data.Sources;

/// <summary>The bytes of one JSON value as a row. Whatever is wrong is a problem of this row, never of the reader.</summary>
internal static class RowParser
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    public static Row Parse(ReadOnlySpan<byte> json, string file, long line)
    {
        if (!Utf8.IsValid(json)) return Row.Bad(file, line, "is not UTF-8; convert the file, for example with iconv");
        if (HasLoneSurrogate(json)) return Row.Bad(file, line, "holds half of a surrogate pair as an escape (\\ud800 to \\udfff), which is no text");
        try
        {
            var value = JsonElement.Parse(json, Strict);
            return value.ValueKind == JsonValueKind.Object
                ? new Row(value, file, line)
                : Row.Bad(file, line, $"is {Kinds.Describe(value)}; a row is an object: {{\"column\": …}}");
        }
        catch (JsonException e)
        {
            return Row.Bad(file, line, Explain(json, e));
        }
    }

    private static string Explain(ReadOnlySpan<byte> json, JsonException e)
    {
        var reason = Reason(e);
        if (json.TrimEnd(" \t\r"u8) is [(byte)'{']) return "ends within an object: a .jsonl file has one object a line; name a file of indented objects .json";
        if (json.StartsWith("["u8) && reason.Contains("depth", StringComparison.Ordinal)) return "is nested too deeply: " + reason;
        return "is not JSON: " + reason;
    }

    /// <summary>The reader's words without its trailing position, which counts from the row's own start.</summary>
    public static string Reason(JsonException e)
    {
        var cut = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        if (cut < 0) cut = e.Message.IndexOf(" Path:", StringComparison.Ordinal);
        return (cut < 0 ? e.Message : e.Message[..cut]).TrimEnd();
    }

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
