namespace LlmTune.Tokenization;

/// <summary>What becomes of the matches of a pattern that cuts text: for '-' in <c>the-final--countdown</c>,</summary>
internal enum SplitBehavior
{
    /// <summary><c>the|final|countdown</c></summary>
    Removed,

    /// <summary><c>the|-|final|-|-|countdown</c></summary>
    Isolated,

    /// <summary><c>the-|final-|-|countdown</c></summary>
    MergedWithPrevious,

    /// <summary><c>the|-final|-|-countdown</c></summary>
    MergedWithNext,

    /// <summary><c>the|-|final|--|countdown</c></summary>
    Contiguous,
}

internal static class SplitBehaviors
{
    public static SplitBehavior Read(JsonField field) => field.Choice(
        ("Removed", SplitBehavior.Removed), ("Isolated", SplitBehavior.Isolated), ("MergedWithPrevious", SplitBehavior.MergedWithPrevious),
        ("MergedWithNext", SplitBehavior.MergedWithNext), ("Contiguous", SplitBehavior.Contiguous));

    /// <summary>Cuts a text of <paramref name="length"/> units at matches in order, and hands on the parts that are not empty.</summary>
    /// <param name="invert">What lies between the matches counts as the matches.</param>
    public static void Cut(this SplitBehavior behavior, int length, List<TextSpan> matches, bool invert, Action<TextSpan> next)
    {
        var parts = new List<(TextSpan Span, bool Match)>(2 * matches.Count + 1);
        var done = 0;
        foreach (var match in matches)
        {
            if (match.Start > done) parts.Add((new TextSpan(done, match.Start), invert));
            parts.Add((match, !invert));
            done = match.End;
        }
        if (done < length) parts.Add((new TextSpan(done, length), invert));
        if (behavior == SplitBehavior.MergedWithNext) parts.Reverse();
        var joined = new List<TextSpan>(parts.Count);
        var previous = false;
        foreach (var (span, match) in parts)
        {
            var join = behavior switch
            {
                SplitBehavior.Contiguous => match == previous,
                SplitBehavior.MergedWithPrevious or SplitBehavior.MergedWithNext => match && !previous,
                _ => false,
            };
            previous = match;
            if (behavior == SplitBehavior.Removed && match) continue;
            if (join && joined.Count > 0) joined[^1] = new TextSpan(Math.Min(joined[^1].Start, span.Start), Math.Max(joined[^1].End, span.End));
            else joined.Add(span);
        }
        if (behavior == SplitBehavior.MergedWithNext) joined.Reverse();
        foreach (var span in joined)
        {
            if (span.Length > 0) next(span);
        }
    }
}

/// <summary>Finds matches in a text, from left to right.</summary>
internal delegate List<TextSpan> Matcher(ReadOnlySpan<char> text);

/// <summary>Cuts at the matches of a pattern.</summary>
internal sealed class MatchSplitter(Matcher matcher, SplitBehavior behavior, bool invert) : Splitter
{
    public override void Split(Piece piece, Action<Piece> next) =>
        behavior.Cut(piece.Length, matcher(piece.Chars), invert, span => next(new Piece(piece.Source, piece.Start + span.Start, span.Length)));
}

/// <summary>Cuts at every character of a kind.</summary>
internal sealed class CharacterSplitter(Func<System.Text.Rune, bool> isMatch, SplitBehavior behavior) : Splitter
{
    public static CharacterSplitter At(System.Text.Rune delimiter) => new(rune => rune == delimiter, SplitBehavior.Removed);

    public override void Split(Piece piece, Action<Piece> next) =>
        new MatchSplitter(text => Matches(text, isMatch), behavior, invert: false).Split(piece, next);

    public static List<TextSpan> Matches(ReadOnlySpan<char> text, Func<System.Text.Rune, bool> isMatch)
    {
        var matches = new List<TextSpan>();
        for (var i = 0; i < text.Length;)
        {
            if (isMatch(Utf16.RuneAt(text, i, out var length))) matches.Add(new TextSpan(i, i + length));
            i += length;
        }
        return matches;
    }
}

/// <summary>Cuts after every so many characters.</summary>
internal sealed class FixedLengthSplitter : Splitter
{
    private readonly int _length;

    public FixedLengthSplitter(int length, JsonField field) => _length = length > 0 ? length : throw field["length"].Error("must be at least 1");

    public override void Split(Piece piece, Action<Piece> next)
    {
        var (start, count) = (piece.Start, 0);
        for (var i = piece.Start; i < piece.End;)
        {
            Utf16.RuneAt(piece.Source.Text, i, out var length);
            i += length;
            if (++count < _length && i < piece.End) continue;
            next(new Piece(piece.Source, start, i - start));
            (start, count) = (i, 0);
        }
    }
}

/// <summary>Runs of word characters, and runs of what is neither that nor white space: <c>\w+|[^\w\s]+</c>.</summary>
internal static class WordOrSymbols
{
    public static List<TextSpan> Matches(ReadOnlySpan<char> text)
    {
        var matches = new List<TextSpan>();
        for (var i = 0; i < text.Length;)
        {
            var kind = KindAt(text, i, out var length);
            var start = i;
            for (i += length; i < text.Length && KindAt(text, i, out length) == kind; i += length) { }
            if (kind != 0) matches.Add(new TextSpan(start, i));
        }
        return matches;
    }

    private static int KindAt(ReadOnlySpan<char> text, int index, out int length)
    {
        var rune = Utf16.RuneAt(text, index, out length);
        return System.Text.Rune.IsWhiteSpace(rune) ? 0 : CharacterKinds.IsWord(rune) ? 1 : 2;
    }
}
