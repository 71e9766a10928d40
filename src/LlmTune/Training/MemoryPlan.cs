using LlmTune.Models;

namespace LlmTune.Training;

/// <summary>What of a model trains.</summary>
/// <param name="Parameters">How many numbers.</param>
/// <param name="OfModel">Tensors of the model itself; else of an adapter, which is kept in float32.</param>
/// <param name="FirstBlock">The blocks below it neither train nor pass gradients on.</param>
/// <param name="Head">Whether the head's matrix is among them.</param>
public sealed record TrainedShare(long Parameters, bool OfModel, int FirstBlock, bool Head);

/// <summary>Bytes that a step takes, by what for.</summary>
/// <param name="Weights">The model.</param>
/// <param name="Training">Values of the adapter or master copies, gradients, and the optimizer's state.</param>
/// <param name="Activations">What blocks keep for the backward pass.</param>
/// <param name="Head">A chunk of logits with its gradient.</param>
/// <param name="Recomputed">How many blocks are computed again in the backward pass.</param>
public sealed record MemoryEstimate(long Weights, long Training, long Activations, long Head, int Recomputed)
{
    public long Total => Weights + Training + Activations + Head;
}

/// <summary>How many blocks have to be recomputed so that a step's activations fit.</summary>
public static class MemoryPlan
{
    /// <summary>Share of the free memory that kept activations may take; the rest is for what is temporary.</summary>
    private const double Share = 0.6;

    /// <summary>Bytes that the graph of one block keeps for a micro-batch.</summary>
    /// <param name="tokens">Of the micro-batch.</param>
    public static long BytesOfBlock(ModelSpec spec, int block, long tokens, ScalarType type)
    {
        var (attention, inner) = (spec.Blocks[block].Attention, spec.Blocks[block].Inner);
        var heads = (long)attention.HeadSize * (attention.Heads + attention.KeyValueHeads);
        // Norms in float32 (input, inverse, product), q k v and their rotations, the mix, o, two residuals; gate, up, silu, product.
        var floats = 6L * spec.Width + 3 * heads + 2L * attention.HeadSize * attention.Heads;
        var own = 3L * spec.Width + 4L * inner + heads;
        var size = type == ScalarType.Float32 ? 4 : 2;
        return tokens * (floats * 4 + own * size);
    }

    /// <summary>What a step takes.</summary>
    /// <param name="tokens">Of the micro-batch.</param>
    /// <param name="chunk">Rows of logits at a time.</param>
    /// <param name="wanted">Blocks to recompute; null: as many as the memory asks for.</param>
    /// <param name="free">Free memory of the device in bytes, before the model is loaded.</param>
    public static MemoryEstimate Estimate(ModelSpec spec, ScalarType type, TrainedShare trained, long tokens, int chunk, int? wanted, long free)
    {
        var size = type == ScalarType.Float32 ? 4 : 2;
        var weights = spec.Parameters * size;
        // Gradient and two moments in float32; beside them an adapter's own values, or a 16-bit tensor's master copy and its 16-bit gradient.
        var training = trained.Parameters * (12 + (!trained.OfModel ? 4 : size == 2 ? 6 : 0));
        var rows = Math.Min(chunk, tokens);
        // log p in float32 and what softmax made it from; in 16 bits logits and their gradient beside.
        var head = rows * spec.Vocabulary * (size == 2 ? 12 : 8) + (trained.Head ? (long)spec.Vocabulary * spec.Width * size : 0);
        var recomputed = Recomputed(spec, wanted, tokens, type, free - weights - training - head);

        var activations = 0L;
        for (var block = trained.FirstBlock; block < spec.Blocks.Count; block++)
            activations += block < recomputed ? tokens * spec.Width * size : BytesOfBlock(spec, block, tokens, type);
        if (recomputed > trained.FirstBlock) activations += BytesOfBlock(spec, trained.FirstBlock, tokens, type);   // the one that runs again
        return new MemoryEstimate(weights, training, activations, head, recomputed);
    }

    /// <summary>Blocks to recompute, from the first on.</summary>
    /// <param name="wanted">What the run file says; null: as many as the memory asks for.</param>
    /// <param name="free">What is free for activations, in bytes.</param>
    public static int Recomputed(ModelSpec spec, int? wanted, long tokens, ScalarType type, long free)
    {
        if (wanted is { } blocks) return Math.Min(blocks, spec.Blocks.Count);
        var room = (long)(free * Share);
        var kept = 0;
        for (var block = spec.Blocks.Count - 1; block >= 0; block--, kept++)
        {
            room -= BytesOfBlock(spec, block, tokens, type);
            if (room < 0) break;
        }
        return spec.Blocks.Count - kept;
    }
}
