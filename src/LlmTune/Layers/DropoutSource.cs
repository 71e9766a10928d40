using LlmTune.Native;

namespace LlmTune.Layers;

/// <summary>Where dropout masks come from. A mask is scaled already: 0 where dropped, 1 / (1 − p) where kept.</summary>
public abstract class DropoutSource
{
    /// <summary>Nothing is dropped.</summary>
    public static DropoutSource None { get; } = new Nothing();

    /// <summary>x with the module's mask applied: (T, width).</summary>
    public Tensor Apply(Tensor x, double p, string module)
    {
        if (p == 0 || this is Nothing) return x;
        return x * Mask(p, module, x.shape[1]).to(x.dtype);
    }

    /// <summary>The same masks for chosen tokens only: (S, width).</summary>
    /// <param name="rows">(S) int64.</param>
    public DropoutSource Rows(Tensor rows) => this is Nothing ? this : new Selected(this, rows);

    /// <summary>(T, width) for all tokens of the batch.</summary>
    protected abstract Tensor Mask(double p, string module, long width);

    private sealed class Nothing : DropoutSource
    {
        protected override Tensor Mask(double p, string module, long width) => throw new InvalidOperationException("no mask where nothing is dropped");
    }

    private sealed class Selected(DropoutSource all, Tensor rows) : DropoutSource
    {
        protected override Tensor Mask(double p, string module, long width)
        {
            using var mask = all.Mask(p, module, width);
            return mask.index_select(0, rows);
        }
    }
}

/// <summary>
/// Masks drawn from (seed, step, document, module): the same when a block is recomputed, when a batch is cut into micro-batches
/// in another way, and when a run is resumed.
/// </summary>
/// <param name="seed">Of the run and the step.</param>
/// <param name="keys">(N) identities of the documents.</param>
/// <param name="bounds">(N + 1) where they begin.</param>
public sealed class KeyedDropout(ulong seed, IReadOnlyList<ulong> keys, IReadOnlyList<int> bounds, Device device) : DropoutSource
{
    protected override Tensor Mask(double p, string module, long width)
    {
        var place = Seeds.Derive((long)seed, module);
        var mask = empty(bounds[^1], width, ScalarType.Float32, device);
        for (var n = 0; n < keys.Count; n++)
        {
            using var rows = mask.narrow(0, bounds[n], bounds[n + 1] - bounds[n]);
            Draw(rows, 1 - p, Seeds.Derive(place, keys[n]));
        }
        return mask.mul_(Scalars.Of(1 / (1 - p)));
    }

    /// <summary>TorchSharp makes generators of the CPU only; that of a GPU is the device's own, which is seeded anew.</summary>
    private static void Draw(Tensor place, double share, ulong seed)
    {
        if (place.device.type == DeviceType.CUDA)
        {
            cuda.manual_seed((long)(seed & long.MaxValue));
            place.bernoulli_(share);
            return;
        }
        using var generator = Seeds.Generator(seed);
        place.bernoulli_(share, generator);
    }
}
