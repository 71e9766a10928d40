using System.Buffers;

namespace LlmTune.Tokenization.Templates;

/// <summary>White space and line ends as Python's str has them.</summary>
internal static class Whitespace
{
    /// <summary>What str.isspace, strip and split take: .NET's, and the four separators U+001C to U+001F.</summary>
    public static readonly char[] Characters = [.. Enumerable.Range(0, char.MaxValue + 1).Select(c => (char)c).Where(Contains)];

    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029");

    public static bool Contains(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>\r\n and \r become \n; the other line ends stay.</summary>
    public static string ReplaceLineEndingsAsPython(this string text) =>
        text.Contains('\r') ? text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n') : text;

    /// <summary>Python's str.splitlines: a line end at the very end begins no further line.</summary>
    public static List<object?> Lines(string text, bool keepEnds = false)
    {
        var lines = new List<object?>();
        var start = 0;
        while (start < text.Length)
        {
            var length = text.AsSpan(start).IndexOfAny(LineEnds);
            if (length < 0)
            {
                lines.Add(text[start..]);
                break;
            }
            var next = start + length + (text.AsSpan(start + length) is ['\r', '\n', ..] ? 2 : 1);
            lines.Add(keepEnds ? text[start..next] : text.Substring(start, length));
            start = next;
        }
        return lines;
    }
}
