namespace LlmTune.Layers;

/// <summary>
/// The surroundings of attention, one object a batch: it knows documents, positions and rotary tables, windows, and whether keys
/// come from a cache. Packed training and cached generation are kinds of it.
/// </summary>
public abstract class AttentionContext : IDisposable
{
    /// <summary>Rotates queries and keys and lets each token attend to what it may see.</summary>
    /// <param name="queries">(T, H, E).</param>
    /// <param name="keys">(T, K, E).</param>
    /// <param name="values">(T, K, E).</param>
    /// <returns>(T, H, E).</returns>
    public abstract Tensor Attend(Tensor queries, Tensor keys, Tensor values, Attention attention);

    /// <summary>Frees what it computed for its batch: tables and masks.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
