using LlmTune.Quantization;
namespace LlmTune.Layers;

/// <summary>A row of the matrix for each token.</summary>
public sealed class Embedding(WeightSource source, string name, long vocabulary, long width) : IDisposable
{
    public string Name { get; } = name;

    /// <summary>(V, D).</summary>
    public ModelTensor Weight { get; } = source.Take(name + ".weight", vocabulary, width);

    /// <summary>(T) int64 → (T, D).</summary>
    public Tensor Forward(Tensor ids) => Weight.Value.index_select(0, ids);

    public void Dispose() => Weight.Dispose();
}
