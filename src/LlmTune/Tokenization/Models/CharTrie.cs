namespace LlmTune.Tokenization;

/// <summary>A set of texts, each with a value, walked character by character. Nodes are numbers; 0 is the root.</summary>
internal sealed class CharTrie
{
    private readonly Slot[] _slots;
    private readonly List<int> _values = [-1];

    public CharTrie(IReadOnlyCollection<KeyValuePair<string, int>> entries)
    {
        var most = entries.Sum(entry => (long)entry.Key.Length);
        _slots = new Slot[System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(4, 2 * most))];
        Array.Fill(_slots, new Slot(ulong.MaxValue, -1));
        foreach (var (text, value) in entries)
        {
            var node = 0;
            foreach (var c in text) node = Child(node, c);
            _values[node] = value;
        }
    }

    /// <returns>−1 where no text goes on so.</returns>
    public int Next(int node, char c) => _slots[Find(Key(node, c))].Node;

    /// <summary>The value of the text that ends here, −1 where none does.</summary>
    public int Value(int node) => _values[node];

    private int Child(int node, char c)
    {
        var key = Key(node, c);
        var at = Find(key);
        if (_slots[at].Node < 0)
        {
            _slots[at] = new Slot(key, _values.Count);
            _values.Add(-1);
        }
        return _slots[at].Node;
    }

    private int Find(ulong key)
    {
        var hash = key * 0x9E3779B97F4A7C15;
        var at = (int)(hash >> 40 ^ hash >> 20) & _slots.Length - 1;
        while (_slots[at].Key != key && _slots[at].Key != ulong.MaxValue) at = at + 1 & _slots.Length - 1;
        return at;
    }

    private static ulong Key(int node, char c) => (ulong)node << 16 | c;

    private readonly record struct Slot(ulong Key, int Node);
}
