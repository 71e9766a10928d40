namespace LlmTune.Tokenization;

public sealed partial class HfTokenizer
{
    /// <summary>The ids of a text. A lone surrogate counts as U+FFFD.</summary>
    /// <param name="addSpecialTokens">With what the file's post-processor puts around a text (a BOS, say).</param>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        var ids = Ids(text);
        return [.. _parts.PostProcessor?.Ids(ids, addSpecialTokens) ?? ids];
    }

    /// <summary>The ids of a text in which special tokens are plain characters, as text from outside should be taken.</summary>
    public int[] EncodePlain(string text) => [.. Ids(text, specialAsText: true)];

    /// <summary>The ids of many texts, on all processors.</summary>
    public int[][] EncodeMany(IReadOnlyList<string> texts, bool addSpecialTokens = false, CancellationToken cancel = default)
    {
        var ids = new int[texts.Count][];
        OnAllProcessors(texts.Count, i => ids[i] = Encode(texts[i], addSpecialTokens), cancel);
        return ids;
    }

    /// <summary>A text, or two, as tokens with all that is known of them.</summary>
    public TokenEncoding EncodeFull(
        string text, string? pair = null, bool addSpecialTokens = true, Truncation? truncation = null, Padding? padding = null) =>
        Finish(Full(text, null), pair is null ? null : Full(pair, null), addSpecialTokens, truncation, padding);

    /// <summary>Words given one by one, as data for naming entities are. Spans count within each word.</summary>
    public TokenEncoding EncodeWords(
        IReadOnlyList<string> words, IReadOnlyList<string>? pair = null, bool addSpecialTokens = true, Truncation? truncation = null, Padding? padding = null)
    {
        return Finish(All(words), pair is null ? null : All(pair), addSpecialTokens, truncation, padding);

        TokenEncoding All(IReadOnlyList<string> list) => TokenEncoding.Merge(list.Select((word, i) => Full(word, i)));
    }

    /// <summary>Many texts, on all processors, padded to one length where padding is asked for.</summary>
    public TokenEncoding[] EncodeBatch(
        IReadOnlyList<string> texts, bool addSpecialTokens = true, Truncation? truncation = null, Padding? padding = null)
    {
        var encodings = new TokenEncoding[texts.Count];
        OnAllProcessors(texts.Count, i => encodings[i] = EncodeFull(texts[i], null, addSpecialTokens, truncation), CancellationToken.None);
        padding?.Apply(encodings);
        return encodings;
    }

    /// <summary>The ids of a text and their spans, without what a post-processor adds.</summary>
    internal (List<int> Ids, List<TextSpan> Spans) EncodeSpans(string text)
    {
        var sink = new TokenSink(spans: true);
        Run(text, sink);
        return (sink.Ids, sink.Spans!);
    }

    private static void OnAllProcessors(int count, Action<int> act, CancellationToken cancel)
    {
        try
        {
            Parallel.For(0, count, new ParallelOptions { CancellationToken = cancel }, act);
        }
        catch (AggregateException e)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }

    private List<int> Ids(string text, bool specialAsText = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var sink = new TokenSink(spans: false);
        Run(text, sink, specialAsText);
        return sink.Ids;
    }

    private TokenEncoding Finish(TokenEncoding first, TokenEncoding? second, bool addSpecialTokens, Truncation? truncation, Padding? padding)
    {
        var processor = _parts.PostProcessor;
        truncation?.Apply(first, second, addSpecialTokens ? processor?.Added(second is not null) ?? 0 : 0);
        List<TokenEncoding> parts = second is null ? [first] : [first, second];
        for (var i = 0; i < parts.Count; i++)
        {
            parts[i].SetSequence(i);
            parts[i].SetType(i);
            foreach (var overflow in parts[i].Overflowing)
            {
                overflow.SetSequence(i);
                overflow.SetType(i);
            }
        }
        var result = TokenEncoding.Merge(processor?.Process(parts, addSpecialTokens) ?? parts);
        padding?.Apply([result]);
        return result;
    }

    private TokenEncoding Full(string text, int? word)
    {
        var sink = new TokenSink(spans: true, texts: true);
        Run(text, sink);
        var count = sink.Ids.Count;
        return new TokenEncoding(
            [.. sink.Ids],
            [.. sink.Texts!],
            [.. sink.Spans!],
            [.. sink.Words!.Select(number => (int?)(word ?? number))],
            new int[count],
            new bool[count]);
    }

    /// <summary>
    /// Added tokens are cut out, the text between them is normalized, tokens that are looked for there are cut out of it, what is
    /// left is cut into pieces, and the model makes tokens of each piece.
    /// </summary>
    private void Run(string text, TokenSink sink, bool specialAsText = false)
    {
        text = Utf16.WithoutLoneSurrogates(text);
        var tracked = sink.Spans is not null || _needsOrigins;
        Action<Piece> toModel = piece => Encode(piece, sink);
        var cut = _parts.Splitter?.Before(toModel) ?? toModel;
        foreach (var (span, token) in _added.Raw.Cut(text, specialAsText))
        {
            if (token is not null)
            {
                sink.AddWord(token.Id, span, span.Of(text));
                continue;
            }
            var stretch = tracked ? AlignedText.Of(text, span.Start, span.End) : AlignedText.Untracked(span.Of(text), span.Start);
            _parts.Normalizer?.Apply(stretch);
            foreach (var (part, normalized) in _added.AfterNormalizer.Cut(stretch.Text, specialAsText))
            {
                var origin = tracked ? stretch.Origin(part.Start, part.End) : default;
                if (normalized is not null) sink.AddWord(normalized.Id, origin, part.Of(stretch.Text));
                else cut(Piece.All(stretch.Slice(part.Start, part.End)));
            }
        }
    }

    /// <summary>The text as the normalizers leave it, added tokens not regarded.</summary>
    internal string NormalizedText(string text)
    {
        var normalized = AlignedText.Untracked(Utf16.WithoutLoneSurrogates(text), 0);
        _parts.Normalizer?.Apply(normalized);
        return normalized.Text;
    }

    /// <summary>The pieces that the model gets, added tokens not regarded.</summary>
    internal List<string> Pieces(string text)
    {
        var pieces = new List<string>();
        var normalized = AlignedText.Of(NormalizedText(text), 0, NormalizedText(text).Length);
        Action<Piece> last = piece => pieces.Add(piece.Chars.ToString());
        if (normalized.Text.Length > 0) (_parts.Splitter?.Before(last) ?? last)(Piece.All(normalized));
        return pieces;
    }

    private void Encode(Piece piece, TokenSink sink)
    {
        var before = sink.Ids.Count;
        _parts.Model.Encode(piece.Chars, sink);
        if (sink.Spans is { } spans)
        {
            for (var i = before; i < spans.Count; i++) spans[i] = piece.Source.Origin(piece.Start + spans[i].Start, piece.Start + spans[i].End);
        }
        sink.EndWord(_parts.Model.Vocabulary);
    }
}
