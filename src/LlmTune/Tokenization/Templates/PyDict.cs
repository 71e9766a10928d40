using System.Collections;

namespace LlmTune.Tokenization.Templates;

/// <summary>
/// Python's dict: in the order of insertion, 1, 1.0 and True being one key. Small ones, as messages are, are searched one by one; larger ones have
/// an index. Keys are text, numbers, None and tuples of these.
/// </summary>
internal sealed class PyDict(int capacity = 4) : IEnumerable<KeyValuePair<object?, object?>>
{
    private const int Small = 8;

    private KeyValuePair<object?, object?>[] _entries = new KeyValuePair<object?, object?>[capacity];
    private Dictionary<object, int>? _index;

    public int Count { get; private set; }

    /// <summary>Not negative for an element whose passes of a loop are to be noted (the number of a message).</summary>
    public int Mark { get; init; } = -1;

    public IEnumerable<object?> Keys => this.Select(e => e.Key);

    public IEnumerable<object?> Values => this.Select(e => e.Value);

    public static PyDict Of(IEnumerable<(string Name, object? Value)> entries)
    {
        var dict = new PyDict();
        foreach (var (name, value) in entries) dict.Set(name, value);
        return dict;
    }

    public KeyValuePair<object?, object?> this[int at] => _entries[at];

    public void Set(object? key, object? value)
    {
        if (key is SafeText safe) key = safe.Text;
        CheckHashable(key);
        var at = Find(key);
        if (at >= 0)
        {
            _entries[at] = new(_entries[at].Key, value);
            return;
        }
        if (Count == _entries.Length) Array.Resize(ref _entries, Math.Max(4, 2 * Count));
        _entries[Count] = new(key, value);
        Count++;
        if (_index is not null) _index[KeyComparer.Of(key)] = Count - 1;
        else if (Count > Small) BuildIndex();
    }

    /// <exception cref="Fault">The key is a list or a dict.</exception>
    public bool TryGet(object? key, out object? value)
    {
        var at = Find(key is SafeText safe ? safe.Text : key);
        value = at >= 0 ? _entries[at].Value : null;
        return at >= 0;
    }

    public IEnumerator<KeyValuePair<object?, object?>> GetEnumerator()
    {
        for (var i = 0; i < Count; i++) yield return _entries[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public static bool IsHashable(object? key) => key is not (List<object?> or PyDict)
        && (key is not PyTuple tuple || Array.TrueForAll(tuple.Items, i => i is not (List<object?> or PyDict or PyTuple)));

    private static void CheckHashable(object? key)
    {
        if (!IsHashable(key))
            throw new Fault(key is PyTuple ? "a tuple as a key holds only text and numbers" : $"unhashable type: '{Py.TypeName(key)}'");
    }

    private int Find(object? key)
    {
        if (_index is not null) return IsHashable(key) && _index.TryGetValue(KeyComparer.Of(key), out var found) ? found : -1;
        if (key is string text)
        {
            for (var i = 0; i < Count; i++)
            {
                if (_entries[i].Key is string other && other == text) return i;
            }
            return -1;
        }
        if (!IsHashable(key)) return -1;
        for (var i = 0; i < Count; i++)
        {
            if (KeyComparer.Instance.Equals(KeyComparer.Of(_entries[i].Key), KeyComparer.Of(key))) return i;
        }
        return -1;
    }

    private void BuildIndex()
    {
        _index = new Dictionary<object, int>(2 * Count, KeyComparer.Instance);
        for (var i = 0; i < Count; i++) _index[KeyComparer.Of(_entries[i].Key)] = i;
    }

    /// <summary>Compares keys after numbers of one value have been made one.</summary>
    private sealed class KeyComparer : IEqualityComparer<object>
    {
        public static readonly KeyComparer Instance = new();
        private static readonly object None = new();

        public static object Of(object? key) => key switch
        {
            null => None,
            bool flag => flag ? 1L : 0L,
            double number when number == Math.Floor(number) && Math.Abs(number) < 1e18 => (long)number,
            SafeText safe => safe.Text,
            _ => key,
        };

        public new bool Equals(object? x, object? y) => x is PyTuple a && y is PyTuple b
            ? a.Items.Length == b.Items.Length && a.Items.Zip(b.Items).All(p => Of(p.First).Equals(Of(p.Second)))
            : object.Equals(x, y);

        public int GetHashCode(object key) => key is PyTuple tuple
            ? tuple.Items.Aggregate(tuple.Items.Length, (hash, item) => HashCode.Combine(hash, Of(item)))
            : key.GetHashCode();
    }
}
