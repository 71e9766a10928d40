namespace LlmTune.Generation;

/// <summary>Texts that end a row: it ends with the token that completes one of them; one that stands in the prompt alone does not count.</summary>
public static class StopStrings
{
    /// <summary>A watch over a row's tokens.</summary>
    /// <param name="decode">Text of some tokens.</param>
    public static Func<IReadOnlyList<int>, bool>? Watch(IReadOnlyList<string> strings, Func<int[], string> decode)
    {
        if (strings.Count == 0) return null;
        // Tokens without text of their own (bytes of one character, say) make the window longer than the longest string.
        var window = strings.Max(text => text.Length) * 4 + 8;
        return tokens =>
        {
            var start = Math.Max(0, tokens.Count - window);
            var tail = tokens.Skip(start).ToArray();
            var text = decode(tail);
            var before = decode(tail[..^1]);
            var old = 0;
            while (old < before.Length && old < text.Length && before[old] == text[old]) old++;
            return strings.Any(stop => text.IndexOf(stop, Math.Max(0, old - stop.Length + 1), StringComparison.Ordinal) >= 0);
        };
    }
}
