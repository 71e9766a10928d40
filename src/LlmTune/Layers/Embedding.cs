using LlmTune.Native;
using LlmTune.Quantization;

namespace LlmTune.Layers;

/// <summary>A row of the matrix for each token.</summary>
/// <param name="padding">The token whose row gets no gradient, as torch.nn.Embedding's padding_idx; null: none.</param>
public sealed class Embedding(WeightSource source, string name, long vocabulary, long width, int? padding = null) : Part(name), IDisposable
{
    /// <summary>(V, D).</summary>
    public ModelTensor Weight { get; } = source.Take(name + ".weight", vocabulary, width);

    /// <summary>Kept as operators take it.</summary>
    internal Scalar? Padding { get; } = padding is { } token ? Scalars.Of(token) : null;

    public override IEnumerable<(string Name, Tensor Value)> Own => [("weight", Weight.Value)];

    /// <summary>The matrix that is looked up in: the base's, or what the active set has in its place.</summary>
    public ModelTensor Table => WeightCopy ?? Weight;

    /// <summary>Whether anything in it receives a gradient.</summary>
    public bool Trainable => Weight.Trainable || Adapting;

    /// <summary>(T) int64 → (T, D).</summary>
    public Tensor Forward(Tensor ids)
    {
        var rows = Lookup(Table.Value, ids, Padding);
        return Adapter is null ? rows : Adapter.Apply(ids, rows, DropoutSource.None);
    }

    /// <summary>Rows of a table (V, D) by token: (T, D), the padding token's without a gradient.</summary>
    internal static Tensor Lookup(Tensor table, Tensor ids, Scalar? padding)
    {
        var rows = table.index_select(0, ids);
        return padding is not null && rows.requires_grad ? where(ids.eq(padding).unsqueeze(1), rows.detach(), rows) : rows;
    }

    public void Dispose() => Weight.Dispose();
}
