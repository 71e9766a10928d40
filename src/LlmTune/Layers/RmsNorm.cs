using LlmTune.Quantization;
namespace LlmTune.Layers;

/// <summary>
/// Root mean square norm (arXiv:1910.07467 eq. 4) as Llama and Qwen use it: x / √(mean(x²) + ε) in float32, rounded to the
/// model's type, times the weight.
/// </summary>
public sealed class RmsNorm(WeightSource source, string name, long width, double epsilon) : Part(name), IDisposable
{
    private readonly ModelTensor _weight = source.Take(name + ".weight", width);

    public ModelTensor Weight => _weight;

    public override IEnumerable<(string Name, Tensor Value)> Own => [("weight", _weight.Value)];

    /// <summary>(…, width) → (…, width).</summary>
    public Tensor Forward(Tensor x)
    {
        var x32 = x.to(ScalarType.Float32);
        var inverseRms = x32.square().mean([-1], keepdim: true).add_(epsilon).rsqrt_();
        return (WeightCopy ?? _weight).Value * (x32 * inverseRms).to(x.dtype);
    }

    public void Dispose() => _weight.Dispose();
}
