using System.Text.Json;

namespace LlmTune.Io;

/// <summary>
/// JSON as Python's json module writes it: with <c>NaN</c>, <c>Infinity</c> and <c>-Infinity</c>, which are not JSON. NaN is read as null, an
/// infinity as a number beyond every double.
/// </summary>
internal static class PythonJson
{
    private static readonly (byte[] Word, byte[] Json)[] Words =
    [
        ("NaN"u8.ToArray(), "null"u8.ToArray()),
        ("Infinity"u8.ToArray(), "1e999"u8.ToArray()),
    ];

    /// <summary>The value of a text with these words in it; false where it has none, or is no JSON with them either.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out JsonElement value)
    {
        value = default;
        var json = Json(text, out var found);
        if (!found) return false;
        try
        {
            value = JsonElement.Parse(json);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static byte[] Json(ReadOnlySpan<byte> text, out bool found)
    {
        var json = new List<byte>(text.Length);
        var inText = false;
        found = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (inText && c == '\\' && i + 1 < text.Length)
            {
                json.AddRange([c, text[++i]]);
                continue;
            }
            if (c == '"') inText = !inText;
            if (!inText && WordAt(text[i..]) is var (length, replacement))
            {
                json.AddRange(replacement);
                i += length - 1;
                found = true;
                continue;
            }
            json.Add(c);
        }
        return [.. json];
    }

    private static (int Length, byte[] Json)? WordAt(ReadOnlySpan<byte> text)
    {
        foreach (var (word, json) in Words)
            if (text.StartsWith(word)) return (word.Length, json);
        return null;
    }
}
