using LlmTune.Native;

namespace LlmTune.Layers;

/// <summary>
/// Documents laid end to end: attention is causal and stays inside a document. Neighbours of equal length are computed together.
/// </summary>
public class PackedContext : AttentionContext
{
    private readonly Tensor _positions;
    private readonly long _length;
    private readonly List<(int Length, int Count)> _runs = [];
    private readonly long[] _runTokens;
    private readonly Dictionary<RopeSpec, (Tensor Cos, Tensor Sin)> _tables = [];
    private readonly Dictionary<(int Length, int Window), Tensor> _bands = [];

    /// <param name="positions">(T) positions of the tokens.</param>
    /// <param name="bounds">(N + 1) where documents begin, and T.</param>
    /// <param name="type">The type that queries and keys come in.</param>
    public PackedContext(IReadOnlyList<int> positions, IReadOnlyList<int> bounds, Device device, ScalarType type)
    {
        Type = type;
        _positions = tensor(positions.Select(p => (long)p).ToArray(), ScalarType.Int64, device).DetachFromDisposeScope();
        _length = positions.Count == 0 ? 0 : positions.Max() + 1L;
        for (var n = 0; n + 1 < bounds.Count; n++)
        {
            var length = bounds[n + 1] - bounds[n];
            if (_runs.Count > 0 && _runs[^1].Length == length) _runs[^1] = (length, _runs[^1].Count + 1);
            else _runs.Add((length, 1));
        }
        _runTokens = [.. _runs.Select(run => (long)run.Length * run.Count)];
    }

    public ScalarType Type { get; }

    public override Tensor Attend(Tensor queries, Tensor keys, Tensor values, Attention attention)
    {
        var spec = attention.Spec;
        var (cos, sin) = Table(spec.Rope);
        queries = Rope.Apply(queries, cos, sin);
        var rotated = Rope.Apply(keys, cos, sin);
        Keep(keys, rotated, values, attention);
        keys = rotated;
        if (_runs.Count == 1) return Run(queries, keys, values, spec, _runs[0]);
        var q = queries.split(_runTokens, 0);
        var k = keys.split(_runTokens, 0);
        var v = values.split(_runTokens, 0);
        return cat([.. _runs.Select((run, i) => Run(q[i], k[i], v[i], spec, run))], 0);
    }

    /// <summary>A chance to remember keys and values (T, K, E): before and after the rotation.</summary>
    protected virtual void Keep(Tensor keys, Tensor rotated, Tensor values, Attention attention)
    {
    }

    public override void Dispose()
    {
        base.Dispose();
        _positions.Dispose();
        foreach (var (cos, sin) in _tables.Values)
        {
            cos.Dispose();
            sin.Dispose();
        }
        foreach (var band in _bands.Values) band.Dispose();
    }

    /// <summary>(n · L, H, E) of n documents of length L → the same.</summary>
    private Tensor Run(Tensor queries, Tensor keys, Tensor values, AttentionSpec spec, (int Length, int Count) run)
    {
        Tensor Heads(Tensor x) => x.view(run.Count, run.Length, x.shape[1], x.shape[2]).transpose(1, 2);   // (n, H, L, E)
        var band = spec.Window is { } window && window < run.Length ? Band(run.Length, window) : null;
        var mixed = Dispatcher.ScaledDotProductAttention(
            Heads(queries), Heads(keys), Heads(values), band, isCausal: band is null, spec.Scale, enableGqa: true);
        return mixed.transpose(1, 2).reshape((long)run.Count * run.Length, spec.Heads, spec.HeadSize);
    }

    private (Tensor Cos, Tensor Sin) Table(RopeSpec spec)
    {
        if (_tables.TryGetValue(spec, out var table)) return table;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (cos, sin) = Rope.Table(spec, _positions, _length);
        return _tables[spec] = (cos.to(Type).DetachFromDisposeScope(), sin.to(Type).DetachFromDisposeScope());
    }

    /// <summary>(L, L) bool: key j is seen from i where i − window &lt; j ≤ i.</summary>
    private Tensor Band(int length, int window)
    {
        if (_bands.TryGetValue((length, window), out var band)) return band;
        using var scope = NewDisposeScope();
        var all = ones(length, length, ScalarType.Bool, _positions.device);
        return _bands[(length, window)] = all.tril().logical_and(all.triu(1L - window)).DetachFromDisposeScope();
    }
}
