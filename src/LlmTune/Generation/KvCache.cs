using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Native;

namespace LlmTune.Generation;

/// <summary>
/// Keys and values of the tokens so far, for B rows that end at the same column: shorter rows begin later. Keys are kept rotated,
/// but for rotary scalings that hang on the length, whose keys are rotated anew at every step.
/// </summary>
/// <param name="capacity">Most columns: the longest prompt and the new tokens.</param>
public sealed class KvCache(Decoder model, int capacity) : IDisposable
{
    private readonly Tensor?[] _keys = new Tensor?[model.Blocks.Count];     // (B, K, capacity, E)
    private readonly Tensor?[] _values = new Tensor?[model.Blocks.Count];
    private int[] _starts = [];
    private int _columns;

    /// <summary>B.</summary>
    public int Rows => _starts.Length;

    /// <summary>Columns filled.</summary>
    public int Columns => _columns;

    /// <summary>The context of a first pass over prompts laid end to end, which fills the cache.</summary>
    public PackedContext Prefill(IReadOnlyList<int> lengths)
    {
        if (_starts.Length > 0) throw new InvalidOperationException("the cache holds rows already");
        _columns = lengths.Max();
        _starts = [.. lengths.Select(length => _columns - length)];
        return new Filling(this, lengths);
    }

    /// <summary>The context of a pass over one more token for every row, in the order of the rows.</summary>
    public AttentionContext Step()
    {
        if (_columns == capacity) throw new InvalidOperationException($"the cache holds {capacity} columns and is full");
        _columns++;
        return new Stepping(this);
    }

    /// <summary>Keeps these rows, in this order; a row may be kept several times (beams).</summary>
    public void Select(IReadOnlyList<int> rows)
    {
        if (rows.SequenceEqual(Enumerable.Range(0, Rows))) return;
        using var scope = NewDisposeScope();
        var index = tensor(rows.Select(row => (long)row).ToArray(), ScalarType.Int64, model.Device);
        foreach (var store in new[] { _keys, _values })
        {
            for (var layer = 0; layer < store.Length; layer++)
            {
                var old = store[layer]!;
                store[layer] = old.index_select(0, index).DetachFromDisposeScope();
                old.Dispose();
            }
        }
        _starts = [.. rows.Select(row => _starts[row])];
    }

    public void Dispose()
    {
        foreach (var tensor in _keys.Concat(_values)) tensor?.Dispose();
    }

    private (Tensor Keys, Tensor Values) Store(Attention attention)
    {
        Tensor Make() => zeros(
            [Rows, attention.Spec.KeyValueHeads, capacity, attention.Spec.HeadSize], model.Type, model.Device).DetachFromDisposeScope();
        return (_keys[attention.Layer] ??= Make(), _values[attention.Layer] ??= Make());
    }

    /// <summary>The prompts: packed attention, and every row's keys and values go to its columns.</summary>
    private sealed class Filling(KvCache cache, IReadOnlyList<int> lengths) : PackedContext(
        [.. lengths.SelectMany(length => Enumerable.Range(0, length))],
        [0, .. lengths.Select((_, row) => lengths.Take(row + 1).Sum())],
        cache.ModelDevice, cache.ModelType)
    {
        protected override void Keep(Tensor keys, Tensor rotated, Tensor values, Attention attention)
        {
            var (keyStore, valueStore) = cache.Store(attention);
            var kept = attention.Spec.Rope.DependsOnLength ? keys : rotated;
            long token = 0;
            for (var row = 0; row < lengths.Count; row++)
            {
                Put(keyStore, kept, row, token);
                Put(valueStore, values, row, token);
                token += lengths[row];
            }
        }

        private void Put(Tensor store, Tensor tokens, int row, long token) =>
            store[row].narrow(1, cache._starts[row], lengths[row]).copy_(tokens.narrow(0, token, lengths[row]).transpose(0, 1));
    }

    /// <summary>One token a row: its key and value go to the last column, and it attends to its row's columns.</summary>
    private sealed class Stepping(KvCache cache) : AttentionContext
    {
        private readonly int _columns = cache._columns;
        private readonly Dictionary<RopeSpec, (Tensor Cos, Tensor Sin)> _tables = [];
        private readonly Dictionary<int, Tensor?> _masks = [];

        public override Tensor Attend(Tensor queries, Tensor keys, Tensor values, Attention attention)
        {
            var spec = attention.Spec;
            var (cos, sin) = Table(spec.Rope);
            queries = Rope.Apply(queries, cos, sin);
            var (keyStore, valueStore) = cache.Store(attention);
            keyStore.select(2, _columns - 1).copy_(spec.Rope.DependsOnLength ? keys : Rope.Apply(keys, cos, sin));
            valueStore.select(2, _columns - 1).copy_(values);
            var first = spec.Window is { } window ? Math.Max(0, _columns - window) : 0;
            var seenKeys = keyStore.narrow(2, first, _columns - first);
            if (spec.Rope.DependsOnLength) seenKeys = RotateAll(seenKeys, spec.Rope, first);
            var seenValues = valueStore.narrow(2, first, _columns - first);
            return Dispatcher.ScaledDotProductAttention(
                queries.unsqueeze(2), seenKeys, seenValues, Mask(first), isCausal: false, spec.Scale, enableGqa: true).squeeze(2);
        }

        private (Tensor Cos, Tensor Sin) Table(RopeSpec rope)
        {
            if (_tables.TryGetValue(rope, out var table)) return table;
            using var positions = tensor(cache._starts.Select(start => (long)(_columns - 1 - start)).ToArray(), ScalarType.Int64, cache.ModelDevice);
            var (cos, sin) = Rope.Table(rope, positions, Length);
            return _tables[rope] = (cos.to(cache.ModelType).DetachFromDisposeScope(), sin.to(cache.ModelType).DetachFromDisposeScope());
        }

        public override void Dispose()
        {
            base.Dispose();
            foreach (var (cos, sin) in _tables.Values)
            {
                cos.Dispose();
                sin.Dispose();
            }
            foreach (var mask in _masks.Values) mask?.Dispose();
        }

        /// <summary>Largest position of the batch + 1.</summary>
        private int Length => _columns - cache._starts.Min();

        /// <summary>(B, K, S, E) keys of all columns, rotated by the frequencies of the present length.</summary>
        private Tensor RotateAll(Tensor keys, RopeSpec rope, int first)
        {
            var (rows, heads, columns, size) = (keys.shape[0], keys.shape[1], keys.shape[2], keys.shape[3]);
            var positions = cache._starts.SelectMany(start => Enumerable.Range(first, (int)columns).Select(column => (long)Math.Max(0, column - start)));
            var (cos, sin) = Rope.Table(rope, tensor(positions.ToArray(), ScalarType.Int64, cache.ModelDevice), Length);
            var flat = keys.transpose(1, 2).reshape(rows * columns, heads, size);
            return Rope.Apply(flat, cos.to(keys.dtype), sin.to(keys.dtype)).view(rows, columns, heads, size).transpose(1, 2);
        }

        /// <summary>(B, 1, 1, S) true where a row has a token; null where all have.</summary>
        private Tensor? Mask(int first)
        {
            if (_masks.TryGetValue(first, out var mask)) return mask;
            if (cache._starts.All(start => start <= first)) return _masks[first] = null;
            using var starts = tensor(cache._starts.Select(start => (long)start).ToArray(), ScalarType.Int64, cache.ModelDevice);
            var columns = tensor(Enumerable.Range(first, _columns - first).Select(column => (long)column).ToArray(), ScalarType.Int64, cache.ModelDevice);
            return _masks[first] = columns.unsqueeze(0).ge(starts.unsqueeze(1)).unsqueeze(1).unsqueeze(1).DetachFromDisposeScope();
        }
    }

    private Device ModelDevice => model.Device;

    private ScalarType ModelType => model.Type;
}
