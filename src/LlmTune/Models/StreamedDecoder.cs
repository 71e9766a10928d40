using LlmTune.Adapters;
using LlmTune.Layers;

namespace LlmTune.Models;

/// <summary>
/// A model computed straight from its folder in float32: a block's weights are read when it is asked for and gone behind it, embedding
/// and head are read in rows. What it takes of memory is a block, an adapter where there is one, and the hidden states; so a model of any
/// size passes through any machine, once.
/// </summary>
public sealed class StreamedDecoder : IDisposable
{
    /// <summary>Bytes of the head that are there at a time.</summary>
    private const long ChunkBytes = 64 << 20;

    private readonly FolderWeights _weights;
    private readonly Decoder _outline;   // names, shapes, and what the active set puts in their place
    private readonly AdapterSet? _adapters;

    /// <param name="adapter">A PEFT folder to switch on; null: the model alone.</param>
    /// <param name="device">Where it is computed.</param>
    /// <exception cref="RequestException">The weights do not fit the config, or the adapter does not fit the model.</exception>
    public StreamedDecoder(ModelFolder folder, string? adapter, Device device)
    {
        (Spec, Device) = (folder.Spec, device);
        _outline = folder.Load(META, ScalarType.Float32);   // reads no numbers: every name and shape is checked
        _weights = new FolderWeights(folder.Path, folder.Spec, device, ScalarType.Float32, _ => false);
        if (adapter is null) return;
        _adapters = AdapterFolder.Load(adapter, _outline.Parts, device, trainable: false);
        _adapters.Activate(_outline.Parts);
    }

    public Device Device { get; }

    public ModelSpec Spec { get; }

    /// <summary>How many tokens it knows: the model's, or those that its adapter was made for.</summary>
    public int Vocabulary => (int)_outline.Embedding.Table.Value.shape[0];

    /// <summary>(T) int64 on the CPU → (T, D).</summary>
    public Tensor Embed(Tensor ids)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var embedding = _outline.Embedding;
        var rows = embedding.WeightCopy is { } copy
            ? copy.Value.index_select(0, ids.to(Device))
            : _weights.Stored(Decoder.EmbeddingWeight).index_select(0, ids).to(Device);
        rows = rows.to(ScalarType.Float32);
        if (embedding.Adapter is { } adapter) rows = adapter.Apply(ids.to(Device), rows, DropoutSource.None);
        return rows.MoveToOuterDisposeScope();
    }

    /// <summary>(T, D) → (T, D), through one block.</summary>
    public Tensor Block(int index, Tensor hidden, Pass pass)
    {
        using var _ = no_grad();
        using var block = new Block(_weights, Decoder.BlockName(index), Spec.Blocks[index], index, Spec.Width);
        _adapters?.Activate(block.Parts);
        var output = block.Forward(hidden, pass);
        foreach (var tensor in block.Tensors)
            foreach (var (name, _) in tensor.Names) _weights.Forget(name);
        return output;
    }

    /// <summary>(S, D) behind the last block → (S, V).</summary>
    public Tensor Logits(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var norm = new RmsNorm(_weights, _outline.Norm.Name, Spec.Width, Spec.NormEpsilon);
        _adapters?.Activate([norm]);
        var x = norm.Forward(hidden);
        var head = _outline.Head.Parts[0];
        var name = Decoder.HeadWeight(Spec);
        var matrix = head.WeightCopy?.Value ?? _weights.Stored(name);   // (V, D)
        var logits = empty(x.shape[0], matrix.shape[0], dtype: ScalarType.Float32, device: Device);
        var rows = Math.Max(1, ChunkBytes / (sizeof(float) * Spec.Width));
        for (long row = 0; row < matrix.shape[0]; row += rows)
        {
            using var chunk = NewDisposeScope();
            var count = Math.Min(rows, matrix.shape[0] - row);
            logits.narrow(1, row, count).copy_(nn.functional.linear(x, matrix.narrow(0, row, count).to(ScalarType.Float32, Device)));
            if (head.WeightCopy is null) _weights.Forget(name);
        }
        return (head.Adapter is { } adapter ? adapter.Apply(x, logits, DropoutSource.None) : logits).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _adapters?.Dispose();
        _weights.Dispose();
        _outline.Dispose();
    }
}
