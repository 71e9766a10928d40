namespace LlmTune.Tokenization;

/// <summary>
/// A regular expression that counts in characters and follows Oniguruma. .NET's own works on UTF-16 units, has no possessive
/// repeats, no intersections and other rules for lines and case.
/// </summary>
internal sealed class RegexProgram
{
    private readonly RegexMatcher _matcher;
    private readonly CharSet? _first;
    private readonly string _pattern;

    private RegexProgram(string pattern, RegexTree tree) =>
        (_pattern, _matcher, _first) = (pattern, RegexMatcher.Of(tree, RegexMatcher.AcceptMatcher.Instance), tree.First);

    /// <exception cref="FormatException">Not a regular expression, or one that is not supported.</exception>
    public static RegexProgram Parse(string pattern) => new(pattern, RegexParser.Parse(pattern));

    /// <summary>All matches from left to right; an empty one only where the last did not end.</summary>
    public void Matches(ReadOnlySpan<char> text, List<TextSpan> matches)
    {
        try
        {
            var last = -1;
            for (var at = 0; at <= text.Length;)
            {
                if (!Find(text, at, out var match)) return;
                if (match.Length == 0 && match.Start == last)
                {
                    at = match.End + (match.End + 1 < text.Length && char.IsHighSurrogate(text[match.End]) ? 2 : 1);
                    continue;
                }
                matches.Add(match);
                last = at = match.End;
            }
        }
        catch (InsufficientExecutionStackException e)
        {
            throw new RequestException($"the regular expression {_pattern} goes too deep on a text of {text.Length:N0} characters", e);
        }
    }

    private bool Find(ReadOnlySpan<char> text, int from, out TextSpan match)
    {
        for (var at = from; at <= text.Length;)
        {
            var length = 1;
            if (_first is null || (at < text.Length && _first.At(text, at, out length)))
            {
                var end = _matcher.Match(text, at);
                if (end >= 0)
                {
                    match = new TextSpan(at, end);
                    return true;
                }
            }
            at += _first is null && at + 1 < text.Length && char.IsHighSurrogate(text[at]) ? 2 : length;
        }
        match = default;
        return false;
    }
}
