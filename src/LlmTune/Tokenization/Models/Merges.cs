namespace LlmTune.Tokenization;

/// <summary>
/// The pairs of tokens that byte-pair encoding joins, each with its rank and what it gives. Joining follows Hugging Face's order:
/// the lowest rank first, of equal ranks the leftmost.
/// </summary>
internal sealed class Merges
{
    /// <summary>The rank of a pair that is not joined.</summary>
    public const int None = int.MaxValue;

    private const int SmallWord = 64;

    private readonly Slot[] _slots;
    private readonly int[] _results;

    public Merges(int pairs, int ranks)
    {
        _slots = new Slot[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, 2 * pairs))];
        Array.Fill(_slots, new Slot(ulong.MaxValue, None));
        _results = new int[ranks];
    }

    /// <summary>Adds a pair; of one that is there the later rank counts. Pairs may share a rank if they make the same token.</summary>
    public void Add(int left, int right, int rank, int result)
    {
        var key = Key(left, right);
        var at = Home(key);
        while (_slots[at].Key != key && _slots[at].Key != ulong.MaxValue) at = at + 1 & _slots.Length - 1;
        _slots[at] = new Slot(key, rank);
        _results[rank] = result;
    }

    public int Rank(int left, int right)
    {
        var key = Key(left, right);
        for (var at = Home(key); ; at = at + 1 & _slots.Length - 1)
        {
            ref readonly var slot = ref _slots[at];
            if (slot.Key == key) return slot.Rank;
            if (slot.Key == ulong.MaxValue) return None;
        }
    }

    /// <summary>Joins what can be joined, in place.</summary>
    /// <param name="starts">Where each token begins; kept beside the ids.</param>
    /// <returns>How many tokens are left.</returns>
    public int Apply(Span<int> ids, Span<int> starts) => ids.Length <= SmallWord ? ApplySmall(ids, starts) : ApplyLarge(ids, starts);

    private int ApplySmall(Span<int> ids, Span<int> starts)
    {
        var count = ids.Length;
        Span<int> ranks = stackalloc int[SmallWord];
        for (var i = 0; i + 1 < count; i++) ranks[i] = Rank(ids[i], ids[i + 1]);
        while (count > 1)
        {
            var (best, at) = (None, -1);
            for (var i = 0; i < count - 1; i++)
            {
                if (ranks[i] < best) (best, at) = (ranks[i], i);
            }
            if (at < 0) break;
            ids[at] = _results[best];
            ids[(at + 2)..count].CopyTo(ids[(at + 1)..]);
            starts[(at + 2)..count].CopyTo(starts[(at + 1)..]);
            if (at + 2 < count) ranks[(at + 2)..count].CopyTo(ranks[(at + 1)..]);
            count--;
            if (at > 0) ranks[at - 1] = Rank(ids[at - 1], ids[at]);
            if (at < count - 1) ranks[at] = Rank(ids[at], ids[at + 1]);
        }
        return count;
    }

    /// <summary>With a heap of (rank, place), so that a run of any length takes n·log n.</summary>
    private int ApplyLarge(Span<int> ids, Span<int> starts)
    {
        var count = ids.Length;
        var next = new int[count];
        var previous = new int[count];
        var heap = new MinHeap(count);
        for (var i = 0; i < count; i++)
        {
            (previous[i], next[i]) = (i - 1, i + 1);
            if (i + 1 < count) Push(heap, Rank(ids[i], ids[i + 1]), i);
        }
        while (heap.TryPop(out var top))
        {
            var (rank, at) = ((int)(top >> 32), (int)(uint)top);
            if (ids[at] < 0 || next[at] >= count) continue;
            var right = next[at];
            var now = Rank(ids[at], ids[right]);
            if (now == None || _results[now] != _results[rank]) continue;
            ids[at] = _results[rank];
            ids[right] = -1;
            next[at] = next[right];
            if (next[at] < count)
            {
                previous[next[at]] = at;
                Push(heap, Rank(ids[at], ids[next[at]]), at);
            }
            if (previous[at] >= 0) Push(heap, Rank(ids[previous[at]], ids[at]), previous[at]);
        }
        var left = 0;
        for (var i = 0; i < count; i = next[i], left++) (ids[left], starts[left]) = (ids[i], starts[i]);
        return left;
    }

    private static void Push(MinHeap heap, int rank, int at)
    {
        if (rank != None) heap.Push((ulong)rank << 32 | (uint)at);
    }

    private static ulong Key(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    private int Home(ulong key)
    {
        key *= 0x9E3779B97F4A7C15;
        return (int)(key >> 40 ^ key >> 20) & _slots.Length - 1;
    }

    private readonly record struct Slot(ulong Key, int Rank);
}

/// <summary>A heap of numbers, the smallest first; four children a node keep it shallow and its nodes together.</summary>
internal sealed class MinHeap(int capacity)
{
    private ulong[] _items = new ulong[Math.Max(4, capacity)];
    private int _count;

    public void Push(ulong item)
    {
        if (_count == _items.Length) Array.Resize(ref _items, 2 * _count);
        var at = _count++;
        while (at > 0 && _items[(at - 1) / 4] > item)
        {
            _items[at] = _items[(at - 1) / 4];
            at = (at - 1) / 4;
        }
        _items[at] = item;
    }

    public bool TryPop(out ulong item)
    {
        item = 0;
        if (_count == 0) return false;
        item = _items[0];
        var last = _items[--_count];
        var at = 0;
        while (4 * at + 1 < _count)
        {
            var child = 4 * at + 1;
            var end = Math.Min(child + 4, _count);
            var smallest = child;
            for (var i = child + 1; i < end; i++)
            {
                if (_items[i] < _items[smallest]) smallest = i;
            }
            if (_items[smallest] >= last) break;
            _items[at] = _items[smallest];
            at = smallest;
        }
        _items[at] = last;
        return true;
    }
}
