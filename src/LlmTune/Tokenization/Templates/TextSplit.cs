namespace LlmTune.Tokenization.Templates;

/// <summary>str.split and its relatives.</summary>
internal static class TextSplit
{
    /// <summary>At every separator, or at runs of white space (where it is null), <paramref name="most"/> times at most; all for −1.</summary>
    public static List<object?> Split(string text, string? separator, long most)
    {
        if (most < 0) most = long.MaxValue;
        if (separator is null) return SplitAtSpace(text, most);
        if (separator.Length == 0) throw new Fault("empty separator");
        var pieces = new List<object?>();
        var start = 0;
        while (pieces.Count < most && text.IndexOf(separator, start, StringComparison.Ordinal) is var at and >= 0)
        {
            pieces.Add(text[start..at]);
            start = at + separator.Length;
        }
        pieces.Add(text[start..]);
        return pieces;
    }

    /// <summary>As <see cref="Split"/>, but counted from the end.</summary>
    public static List<object?> SplitFromEnd(string text, string? separator, long most)
    {
        if (most < 0) most = long.MaxValue;
        if (separator is null) return SplitAtSpaceFromEnd(text, most);
        if (separator.Length == 0) throw new Fault("empty separator");
        var pieces = new List<object?>();
        var end = text.Length;
        while (pieces.Count < most && text.AsSpan(0, end).LastIndexOf(separator) is var at and >= 0)
        {
            pieces.Add(text[(at + separator.Length)..end]);
            end = at;
        }
        pieces.Add(text[..end]);
        pieces.Reverse();
        return pieces;
    }

    /// <summary>Before, separator, after, at the first one; the text and nothing else where there is none.</summary>
    public static PyTuple Partition(string text, string separator) =>
        Parts(text, separator, text.IndexOf(separator, StringComparison.Ordinal)) ?? new PyTuple([text, "", ""]);

    /// <summary>As <see cref="Partition"/>, at the last one.</summary>
    public static PyTuple PartitionFromEnd(string text, string separator) =>
        Parts(text, separator, text.LastIndexOf(separator, StringComparison.Ordinal)) ?? new PyTuple(["", "", text]);

    private static PyTuple? Parts(string text, string separator, int at)
    {
        if (separator.Length == 0) throw new Fault("empty separator");
        return at < 0 ? null : new PyTuple([text[..at], separator, text[(at + separator.Length)..]]);
    }

    private static List<object?> SplitAtSpace(string text, long most)
    {
        var pieces = new List<object?>();
        for (var at = SkipSpace(text, 0); at < text.Length; at = SkipSpace(text, at))
        {
            if (pieces.Count == most)
            {
                pieces.Add(text[at..]);
                break;
            }
            var start = at;
            while (at < text.Length && !Whitespace.Contains(text[at])) at++;
            pieces.Add(text[start..at]);
        }
        return pieces;
    }

    private static List<object?> SplitAtSpaceFromEnd(string text, long most)
    {
        var pieces = new List<object?>();
        var end = text.TrimEnd(Whitespace.Characters).Length;
        while (end > 0)
        {
            if (pieces.Count == most)
            {
                pieces.Add(text[..end]);
                break;
            }
            var start = end;
            while (start > 0 && !Whitespace.Contains(text[start - 1])) start--;
            pieces.Add(text[start..end]);
            end = text.AsSpan(0, start).TrimEnd(Whitespace.Characters).Length;
        }
        pieces.Reverse();
        return pieces;
    }

    private static int SkipSpace(string text, int at)
    {
        while (at < text.Length && Whitespace.Contains(text[at])) at++;
        return at;
    }
}
