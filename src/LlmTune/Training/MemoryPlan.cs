using LlmTune.Models;

namespace LlmTune.Training;

/// <summary>How many blocks have to be recomputed so that a step's activations fit.</summary>
public static class MemoryPlan
{
    /// <summary>Share of the free memory that kept activations may take; the rest is for the head's chunk, gradients and what is temporary.</summary>
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

    /// <summary>Blocks to recompute, from the first on.</summary>
    /// <param name="wanted">What the run file says; null: as many as the memory asks for.</param>
    /// <param name="free">Free memory of the device in bytes.</param>
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
