using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>Text as Python sees it, a sequence of code points. Text without surrogates, which is nearly all, is taken by its UTF-16 units.</summary>
internal static class CodePoints
{
    private static readonly string[] Ascii = [.. Enumerable.Range(0, 128).Select(c => ((char)c).ToString())];

    public static int Count(string text)
    {
        if (IsPlain(text)) return text.Length;
        var count = 0;
        foreach (var _ in text.EnumerateRunes()) count++;
        return count;
    }

    /// <summary>The character at an index, negative ones from the end; null outside.</summary>
    public static string? At(string text, long index)
    {
        var count = Count(text);
        if (index < 0) index += count;
        if (index < 0 || index >= count) return null;
        if (count == text.Length) return Single(text[(int)index]);
        var at = Unit(text, index);
        return text.Substring(at, char.IsSurrogatePair(text, at) ? 2 : 1);
    }

    /// <summary><paramref name="length"/> characters from <paramref name="start"/> on, each <paramref name="step"/> after the one before.</summary>
    public static string Slice(string text, long start, long step, long length)
    {
        if (length == 0) return "";
        if (step == 1)
        {
            var (from, to) = (Unit(text, start), Unit(text, start + length));
            return text[from..to];
        }
        var runes = text.EnumerateRunes().ToArray();
        var slice = new StringBuilder((int)length);
        for (long i = 0, at = start; i < length; i++, at += step) slice.Append(runes[at].ToString());
        return slice.ToString();
    }

    public static IEnumerable<object?> Each(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) yield return text.Substring(i++, 2);
            else yield return Single(text[i]);
        }
    }

    /// <summary>Index of the UTF-16 unit at which a code point begins.</summary>
    public static int Unit(string text, long codePoint)
    {
        if (IsPlain(text)) return (int)codePoint;
        var unit = 0;
        for (long i = 0; i < codePoint; i++) unit += char.IsSurrogatePair(text, unit) ? 2 : 1;
        return unit;
    }

    /// <summary>Index of the code point that a UTF-16 unit begins.</summary>
    public static int Index(string text, int unit)
    {
        var span = text.AsSpan(0, unit);
        var count = unit;
        for (var i = 1; i < span.Length; i++)
        {
            if (char.IsSurrogatePair(span[i - 1], span[i])) count--;
        }
        return count;
    }

    /// <summary>Order by code points: characters beyond U+FFFF come after U+E000 to U+FFFF, other than by UTF-16 units.</summary>
    public static int Compare(string a, string b)
    {
        var same = a.AsSpan().CommonPrefixLength(b);
        if (same == a.Length || same == b.Length) return a.Length.CompareTo(b.Length);
        var (x, y) = (a[same], b[same]);
        return char.IsSurrogate(x) == char.IsSurrogate(y) ? x.CompareTo(y) : char.IsSurrogate(x) ? 1 : -1;
    }

    /// <summary>chr(code).</summary>
    public static string Character(System.Numerics.BigInteger code)
    {
        if (code < 0 || code > 0x10FFFF) throw new Fault("%c arg not in range(0x110000)");
        return code < 0x10000 ? ((char)code).ToString() : char.ConvertFromUtf32((int)code);
    }

    private static bool IsPlain(string text) => !text.AsSpan().ContainsAnyInRange('\ud800', '\udfff');

    private static string Single(char c) => c < 128 ? Ascii[c] : c.ToString();
}
