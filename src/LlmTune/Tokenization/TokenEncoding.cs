namespace LlmTune.Tokenization;

/// <summary>
/// A text as tokens, with all that is known of each: where it came from, which pre-token and which of two texts it belongs to.
/// </summary>
public sealed class TokenEncoding
{
    private Dictionary<int, (int Start, int Length)> _sequenceRanges = [];

    internal TokenEncoding(int[] ids, string[] tokens, TextSpan[] spans, int?[] words, int[] typeIds, bool[] special)
    {
        (Ids, Tokens, Spans, Words, TypeIds, Special) = (ids, tokens, spans, words, typeIds, special);
        Attended = new bool[ids.Length];
        Array.Fill(Attended, true);
    }

    public int[] Ids { get; private set; }

    /// <summary>The tokens as the vocabulary writes them; an added token as the text has it.</summary>
    public string[] Tokens { get; private set; }

    /// <summary>
    /// Where in the text each token came from, in UTF-16 units; of words given one by one, within the word. Empty for tokens that were
    /// added.
    /// </summary>
    public TextSpan[] Spans { get; private set; }

    /// <summary>The number of the pre-token, or of the word where they were given one by one; null for tokens that were added.</summary>
    public int?[] Words { get; private set; }

    public int[] TypeIds { get; private set; }

    /// <summary>True for tokens that a post-processor or padding added.</summary>
    public bool[] Special { get; private set; }

    /// <summary>False for padding.</summary>
    public bool[] Attended { get; private set; }

    /// <summary>What truncation cut off, in pieces of the same length.</summary>
    public IReadOnlyList<TokenEncoding> Overflowing { get; private set; } = [];

    public int Count => Ids.Length;

    /// <summary>Which of two texts each token belongs to; null for tokens that were added.</summary>
    public int?[] Sequences
    {
        get
        {
            var sequences = new int?[Count];
            if (_sequenceRanges.Count == 0) Array.Fill(sequences, 0);
            foreach (var (sequence, (start, length)) in _sequenceRanges.OrderBy(range => range.Key)) sequences.AsSpan(start, length).Fill(sequence);
            return sequences;
        }
    }

    internal static TokenEncoding Empty => new([], [], [], [], [], []);

    /// <summary>Tokens that stand for no text.</summary>
    internal static TokenEncoding Added(int[] ids, string[] tokens, int type)
    {
        var special = new bool[ids.Length];
        Array.Fill(special, true);
        return new TokenEncoding(ids, tokens, new TextSpan[ids.Length], new int?[ids.Length], [.. Enumerable.Repeat(type, ids.Length)], special);
    }

    internal void SetType(int type) => TypeIds = [.. Enumerable.Repeat(type, Count)];

    /// <summary>Says that all tokens are of a text; what was said before stays, as in Hugging Face's library.</summary>
    internal void SetSequence(int sequence) => _sequenceRanges[sequence] = (0, Count);

    internal TokenEncoding Clone() => new(Ids, Tokens, [.. Spans], Words, TypeIds, Special)
    {
        Attended = Attended,
        Overflowing = Overflowing,
        _sequenceRanges = new Dictionary<int, (int, int)>(_sequenceRanges),
    };

    /// <summary>This with tokens around it; the ranges of texts stay those of the text.</summary>
    internal TokenEncoding Between(TokenEncoding? before, TokenEncoding after)
    {
        var joined = Merge(before is null ? [WithoutOverflow(), after] : [before, WithoutOverflow(), after]);
        joined.Overflowing = [.. Overflowing.Select(overflow => overflow.Between(before, after))];
        return joined;
    }

    /// <summary>
    /// One after the other. Every overflow of one goes with the others and with each of their overflows, as in Hugging Face's library.
    /// </summary>
    internal static TokenEncoding Merge(IEnumerable<TokenEncoding> parts) => parts.Aggregate(Empty, (all, part) => all.MergeWith(part));

    internal void Truncate(Truncation truncation, int length)
    {
        if (length >= Count) return;
        if (length == 0)
        {
            var all = Clone();
            Take(Empty);
            Overflowing = [all];
            return;
        }
        if (truncation.Stride >= length)
        {
            throw new RequestException(
                $"truncation: the stride {truncation.Stride} must be smaller than the {length} tokens that are left for the text; lower it or raise the "
                + $"maximum length {truncation.MaxLength}");
        }
        var parts = truncation.Parts(Count, length).Select(part => Slice(part.Start, part.End)).ToList();
        Take(parts[0]);
        Overflowing = parts[1..];
    }

    internal void Pad(Padding padding, int length)
    {
        foreach (var overflow in Overflowing) overflow.Pad(padding, length);
        if (Count >= length) return;
        var added = Added([.. Enumerable.Repeat(padding.Id, length - Count)], [.. Enumerable.Repeat(padding.Token, length - Count)], padding.TypeId);
        added.Attended = new bool[added.Count];
        var (left, right) = padding.Left ? (added, WithoutOverflow()) : (WithoutOverflow(), added);
        Take(left.MergeWith(right));
    }

    /// <summary>Becomes another, but for the overflow.</summary>
    private void Take(TokenEncoding other)
    {
        (Ids, Tokens, Spans, Words) = (other.Ids, other.Tokens, other.Spans, other.Words);
        (TypeIds, Special, Attended, _sequenceRanges) = (other.TypeIds, other.Special, other.Attended, other._sequenceRanges);
    }

    private TokenEncoding MergeWith(TokenEncoding other)
    {
        var overflowing = new List<TokenEncoding>();
        if (Overflowing.Count + other.Overflowing.Count > 0)
        {
            var (first, second) = (WithoutOverflow(), other.WithoutOverflow());
            foreach (var overflow in Overflowing)
            {
                overflowing.Add(overflow.MergeWith(second));
                overflowing.AddRange(other.Overflowing.Select(overflow.MergeWith));
            }
            overflowing.AddRange(other.Overflowing.Select(first.MergeWith));
        }
        var ranges = new Dictionary<int, (int Start, int Length)>(_sequenceRanges);
        foreach (var (sequence, (start, length)) in other._sequenceRanges) ranges[sequence] = (Count + start, length);
        return new TokenEncoding(
            [.. Ids, .. other.Ids], [.. Tokens, .. other.Tokens], [.. Spans, .. other.Spans], [.. Words, .. other.Words], [.. TypeIds, .. other.TypeIds],
            [.. Special, .. other.Special])
        {
            Attended = [.. Attended, .. other.Attended],
            Overflowing = overflowing,
            _sequenceRanges = ranges,
        };
    }

    private TokenEncoding WithoutOverflow()
    {
        var clone = Clone();
        clone.Overflowing = [];
        return clone;
    }

    private TokenEncoding Slice(int start, int end) =>
        new(Ids[start..end], Tokens[start..end], Spans[start..end], Words[start..end], TypeIds[start..end], Special[start..end])
        {
            Attended = Attended[start..end],
        };
}
