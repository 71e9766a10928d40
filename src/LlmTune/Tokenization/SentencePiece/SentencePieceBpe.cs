namespace LlmTune.Tokenization;

/// <summary>
/// Joins neighbours whenever together they are an entry, the highest score first, of equal ones the leftmost. User-defined pieces
/// are taken whole before and never joined; unused ones are taken apart again.
/// </summary>
internal sealed class SentencePieceBpe : SentencePieceModel
{
    private readonly Dictionary<string, int> _entries;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly CharTrie? _userDefined;
    private readonly uint[] _ranks;
    private readonly int _longest;
    private readonly bool _hasUnused;

    public SentencePieceBpe(SentencePieceFile file)
        : base(file)
    {
        _entries = Entries();
        _lookup = _entries.GetAlternateLookup<ReadOnlySpan<char>>();
        _longest = _entries.Keys.Select(text => text.Length).DefaultIfEmpty(0).Max();
        _hasUnused = file.Pieces.Exists(piece => piece.Type == PieceType.Unused);
        KeyValuePair<string, int>[] userDefined = [.. _entries.Where(entry => file.Pieces[entry.Value].Type == PieceType.UserDefined)];
        if (userDefined.Length > 0) _userDefined = new CharTrie(userDefined);
        float[] scores = [.. file.Pieces.Select(piece => piece.Score).Distinct().OrderDescending()];
        var rankOf = scores.Select((score, rank) => (score, rank)).ToDictionary(pair => pair.score, pair => (uint)pair.rank);
        _ranks = [.. file.Pieces.Select(piece => rankOf[piece.Score])];
    }

    protected override void Segment(ReadOnlySpan<char> text, List<(int Id, TextSpan Span)> pieces)
    {
        var starts = new List<int>();
        var frozen = new List<bool>();
        for (var i = 0; i < text.Length;)
        {
            var whole = LongestUserDefined(text[i..]);
            starts.Add(i);
            frozen.Add(whole > 0);
            if (whole == 0) Utf16.RuneAt(text, i, out whole);
            i += whole;
        }
        var count = starts.Count;
        starts.Add(text.Length);
        var (next, previous) = (new int[count], new int[count]);
        for (var i = 0; i < count; i++) (previous[i], next[i]) = (i - 1, i + 1);
        var heap = new MinHeap(count);
        Dictionary<TextSpan, int>? splits = _hasUnused ? [] : null;
        for (var i = 0; i + 1 < count; i++) Offer(text, i, i + 1);
        while (heap.TryPop(out var top))
        {
            // The heap's key has place for the rank and the left symbol; a pair counts while its text is still what it was.
            var (rank, left) = ((uint)(top >> 32), (int)(uint)top);
            if (next[left] < 0 || next[left] >= count) continue;
            var right = next[left];
            if (!Find(text, left, right, out var id) || _ranks[id] != rank) continue;
            next[left] = next[right];
            if (next[left] < count) previous[next[left]] = left;
            next[right] = -1;
            if (previous[left] >= 0) Offer(text, previous[left], left);
            if (next[left] < count) Offer(text, left, next[left]);
        }
        for (var i = 0; i < count; i = next[i]) Resegment(text, new TextSpan(starts[i], EndOf(i)));

        int EndOf(int symbol) => starts[next[symbol]];

        bool Find(ReadOnlySpan<char> all, int left, int right, out int id)
        {
            id = -1;
            if (frozen[left] || frozen[right]) return false;
            var length = EndOf(right) - starts[left];
            return length <= _longest && _lookup.TryGetValue(all.Slice(starts[left], length), out id);
        }

        void Offer(ReadOnlySpan<char> all, int left, int right)
        {
            if (!Find(all, left, right, out var id)) return;
            heap.Push((ulong)_ranks[id] << 32 | (uint)left);
            if (splits is not null && File.Pieces[id].Type == PieceType.Unused) splits[new TextSpan(starts[left], EndOf(right))] = starts[right];
        }

        void Resegment(ReadOnlySpan<char> all, TextSpan span)
        {
            var id = _lookup.TryGetValue(all[span.Start..span.End], out var entry) ? entry : File.Unknown;
            if (splits is not null && File.Pieces[id].Type == PieceType.Unused && splits.TryGetValue(span, out var middle))
            {
                Resegment(all, span with { End = middle });
                Resegment(all, span with { Start = middle });
            }
            else
            {
                pieces.Add((id, span));
            }
        }
    }

    private int LongestUserDefined(ReadOnlySpan<char> text)
    {
        var longest = 0;
        if (_userDefined is null) return 0;
        for (var (node, end) = (0, 0); end < text.Length && (node = _userDefined.Next(node, text[end])) >= 0;)
        {
            end++;
            if (_userDefined.Value(node) >= 0) longest = end;
        }
        return longest;
    }
}
