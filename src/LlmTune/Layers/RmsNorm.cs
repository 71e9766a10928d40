using LlmTune.Native;
using LlmTune.Quantization;

namespace LlmTune.Layers;

/// <summary>
/// Root mean square norm (arXiv:1910.07467 eq. 4): x / √(mean(x²) + ε) · weight, computed in float32 and rounded once. (Hugging Face
/// rounds before it multiplies; in float32 that is the same.)
/// </summary>
public sealed class RmsNorm(WeightSource source, string name, long width, double epsilon) : Part(name), IDisposable
{
    private readonly ModelTensor _weight = source.Take(name + ".weight", width);

    public ModelTensor Weight => _weight;

    public override IEnumerable<(string Name, Tensor Value)> Own => [("weight", _weight.Value)];

    /// <summary>(…, width) → (…, width).</summary>
    public Tensor Forward(Tensor x) => Dispatcher.RmsNorm(x, (WeightCopy ?? _weight).Value, epsilon);

    public void Dispose() => _weight.Dispose();
}
