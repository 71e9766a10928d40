using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// The unigram language model (arXiv:1804.10959): of all ways to cut a piece into entries, the one with the highest sum of scores;
/// of equal ones the one found first from the left. A run of unknown characters is one unknown token, or its bytes if all are entries.
/// </summary>
internal sealed class Unigram : TokenModel
{
    /// <summary>How far an unknown character scores below the lowest entry.</summary>
    private const double UnknownPenalty = 10;

    private readonly double[] _scores;
    private readonly int _unknown;
    private readonly double _unknownScore;
    private readonly CharTrie _trie;
    private readonly int[]? _byteIds;
    private readonly PieceCache _cache = new();

    /// <param name="unknown">−1 where there is none.</param>
    public Unigram(IReadOnlyList<string> tokens, double[] scores, int unknown, bool byteFallback)
    {
        Vocabulary = Vocabulary.Of(tokens);
        (_scores, _unknown) = (scores, unknown);
        _unknownScore = scores.DefaultIfEmpty(0).Min() - UnknownPenalty;
        _trie = new CharTrie([.. Vocabulary.Entries]);
        if (byteFallback) _byteIds = [.. Enumerable.Range(0, 256).Select(b => Vocabulary.Id($"<0x{b:X2}>") ?? -1)];
    }

    public override Vocabulary Vocabulary { get; }

    public static Unigram FromJson(JsonField field)
    {
        var items = field["vocab"].Items();
        if (items.Length == 0) throw field["vocab"].Error("has no entries");
        var tokens = new string[items.Length];
        var scores = new double[items.Length];
        for (var i = 0; i < items.Length; i++)
        {
            if (items[i].Items() is not [var token, var score]) throw items[i].Error("expected a token and its score");
            (tokens[i], scores[i]) = (token.Text(), score.Number());
        }
        var unknown = field["unk_id"];
        if (!unknown.IsNull && unknown.Count() >= items.Length) throw unknown.Error($"{unknown.Count()} is beyond the {items.Length} entries");
        return new Unigram(tokens, scores, unknown.IsNull ? -1 : unknown.Count(), field["byte_fallback"].Flag(false));
    }

    public override void Encode(ReadOnlySpan<char> piece, TokenSink sink)
    {
        var cached = piece.Length <= PieceCache.LongestPiece;
        if (cached && _cache.TryAdd(piece, 0, sink)) return;
        var before = sink.Ids.Count;
        var path = BestPath(piece);
        for (var i = 0; i < path.Count; i++)
        {
            var (id, span) = path[i];
            if (id == _unknown) Unknown(piece, span, sink);
            else sink.Add(id, span.Start, span.End);
        }
        if (cached) _cache.Keep(piece, 0, sink, before);
    }

    private void Unknown(ReadOnlySpan<char> piece, TextSpan span, TokenSink sink)
    {
        var run = piece[span.Start..span.End];
        if (Vocabulary.TryGetId(run, out var entry))
        {
            sink.Add(entry, span.Start, span.End);
            return;
        }
        if (_byteIds is not null)
        {
            var bytes = new byte[Encoding.UTF8.GetByteCount(run)];
            Encoding.UTF8.GetBytes(run, bytes);
            if (Array.TrueForAll(bytes, b => _byteIds[b] >= 0))
            {
                foreach (var b in bytes) sink.Add(_byteIds[b], span.Start, span.End);
                return;
            }
        }
        sink.Add(_unknown, span.Start, span.End);
    }

    /// <summary>The entries of the best way, runs of unknown ones joined.</summary>
    private List<(int Id, TextSpan Span)> BestPath(ReadOnlySpan<char> piece)
    {
        var nodes = new Node[piece.Length + 1];
        Array.Fill(nodes, new Node(0, -1, -1));
        for (var start = 0; start < piece.Length;)
        {
            Utf16.RuneAt(piece, start, out var length);
            var (score, single, node) = (nodes[start].Score, false, 0);
            for (var end = start; end < piece.Length && (node = _trie.Next(node, piece[end])) >= 0;)
            {
                end++;
                if (_trie.Value(node) is not (>= 0 and var id)) continue;
                single |= end == start + length;
                Offer(ref nodes[end], _scores[id] + score, start, id);
            }
            if (!single) Offer(ref nodes[start + length], _unknownScore + score, start, _unknown);
            start += length;
        }
        var path = new List<(int, TextSpan)>();
        for (var end = piece.Length; end > 0;)
        {
            var (_, start, id) = nodes[end];
            if (id < 0) throw new RequestException($"the tokenizer has no unknown token, but \"{piece[start..end]}\" is not in its vocabulary");
            if (id == _unknown && path.Count > 0 && path[^1] is var (last, span) && last == _unknown) path[^1] = (id, new TextSpan(start, span.End));
            else path.Add((id, new TextSpan(start, end)));
            end = start;
        }
        path.Reverse();
        return path;
    }

    private static void Offer(ref Node node, double score, int start, int id)
    {
        if (node.Start < 0 || score > node.Score) node = new Node(score, start, id);
    }

    private readonly record struct Node(double Score, int Start, int Id);
}
