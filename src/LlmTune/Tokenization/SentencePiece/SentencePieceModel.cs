using System.Text;

namespace LlmTune.Tokenization;

/// <summary>What SentencePiece's models have in common: unknown characters become their bytes, or one unknown piece a run.</summary>
internal abstract class SentencePieceModel : TokenModel
{
    private readonly int[]? _byteIds;

    protected SentencePieceModel(SentencePieceFile file)
    {
        File = file;
        Vocabulary = Vocabulary.Of([.. file.Pieces.Select(piece => piece.Text)]);
        if (file.ByteFallback) _byteIds = [.. Enumerable.Range(0, 256).Select(b => Vocabulary.Id($"<0x{b:X2}>") ?? file.Unknown)];
    }

    public override Vocabulary Vocabulary { get; }

    protected SentencePieceFile File { get; }

    /// <summary>Adds the pieces of a text in order; unknown characters one by one or in runs.</summary>
    protected abstract void Segment(ReadOnlySpan<char> text, List<(int Id, TextSpan Span)> pieces);

    public override void Encode(ReadOnlySpan<char> piece, TokenSink sink)
    {
        var pieces = new List<(int Id, TextSpan Span)>();
        Segment(piece, pieces);
        var unknownFrom = -1;
        foreach (var (id, span) in pieces)
        {
            if (id == File.Unknown && _byteIds is null)
            {
                if (unknownFrom < 0) unknownFrom = span.Start;
                continue;
            }
            EndUnknown(span.Start);
            if (id == File.Unknown) AddBytes(piece, span, sink);
            else sink.Add(id, span.Start, span.End);
        }
        EndUnknown(piece.Length);

        void EndUnknown(int end)
        {
            if (unknownFrom >= 0) sink.Add(File.Unknown, unknownFrom, end);
            unknownFrom = -1;
        }
    }

    /// <summary>The last byte has the character's span, those before it an empty one.</summary>
    private void AddBytes(ReadOnlySpan<char> text, TextSpan span, TokenSink sink)
    {
        Span<byte> bytes = stackalloc byte[4];
        for (var i = span.Start; i < span.End;)
        {
            var count = Utf16.RuneAt(text, i, out var length).EncodeToUtf8(bytes);
            for (var k = 0; k < count; k++) sink.Add(_byteIds![bytes[k]], i, k == count - 1 ? i + length : i);
            i += length;
        }
    }

    /// <summary>Entries that text can match: normal, user-defined and unused pieces.</summary>
    protected Dictionary<string, int> Entries()
    {
        var entries = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var id = 0; id < File.Pieces.Count; id++)
        {
            if (File.Pieces[id].Type is PieceType.Normal or PieceType.UserDefined or PieceType.Unused) entries[File.Pieces[id].Text] = id;
        }
        return entries;
    }
}

/// <summary>The best-scored way through the text. Sums are kept in single precision, as in SentencePiece, because ties depend on it.</summary>
internal sealed class SentencePieceUnigram : SentencePieceModel
{
    private const float UnknownPenalty = 10;

    /// <summary>C's FLT_MIN: where SentencePiece begins to look for the highest score.</summary>
    private const float SmallestPositive = 1.17549435e-38f;

    private readonly CharTrie _trie;
    private readonly float _highest;
    private readonly float _unknownScore;

    public SentencePieceUnigram(SentencePieceFile file)
        : base(file)
    {
        _trie = new CharTrie([.. Entries()]);
        var scores = file.Pieces.Where(piece => piece.Type == PieceType.Normal).Select(piece => piece.Score).ToList();
        _highest = scores.Append(SmallestPositive).Max();
        _unknownScore = scores.Append(float.MaxValue).Min() - UnknownPenalty;
    }

    protected override void Segment(ReadOnlySpan<char> text, List<(int Id, TextSpan Span)> pieces)
    {
        var nodes = new Node[text.Length + 1];
        Array.Fill(nodes, new Node(0, -1, -1));
        for (var start = 0; start < text.Length;)
        {
            Utf16.RuneAt(text, start, out var length);
            var (score, single, node) = (nodes[start].Score, false, 0);
            for (var end = start; end < text.Length && (node = _trie.Next(node, text[end])) >= 0;)
            {
                end++;
                if (_trie.Value(node) is not (>= 0 and var id) || File.Pieces[id].Type == PieceType.Unused) continue;
                var own = File.Pieces[id].Type == PieceType.UserDefined
                    ? (float)(Encoding.UTF8.GetByteCount(text[start..end]) * _highest - 0.1)
                    : File.Pieces[id].Score;
                Offer(ref nodes[end], own + score, start, id);
                single |= end == start + length;
            }
            if (!single) Offer(ref nodes[start + length], _unknownScore + score, start, File.Unknown);
            start += length;
        }
        var from = pieces.Count;
        for (var end = text.Length; end > 0; end = nodes[end].Start) pieces.Add((nodes[end].Id, new TextSpan(nodes[end].Start, end)));
        pieces.Reverse(from, pieces.Count - from);
    }

    private static void Offer(ref Node node, float score, int start, int id)
    {
        if (node.Start < 0 || score > node.Score) node = new Node(score, start, id);
    }

    private readonly record struct Node(float Score, int Start, int Id);
}
