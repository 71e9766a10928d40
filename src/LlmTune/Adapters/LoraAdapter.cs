using LlmTune.Layers;
using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>
/// Low-rank adaptation (arXiv:2106.09685 eq. 3): y = W x + b + s B A drop(x), with A (r, in), B (out, r) and s = α / r, or
/// α / √r (rank-stabilised, arXiv:2312.03732). A and B are float32 also over a 16-bit model, and used in the model's type.
/// </summary>
public sealed class LoraAdapter : Adapter
{
    private readonly ModelTensor _a, _b;
    private readonly double _dropout;

    /// <param name="a">(r, in).</param>
    /// <param name="b">(out, r).</param>
    public LoraAdapter(string module, Tensor a, Tensor b, double scaling, double dropout, bool trainable) : base(module)
    {
        _a = new ModelTensor("lora_A.weight", a, trainable);
        _b = new ModelTensor("lora_B.weight", b, trainable);
        Scaling = scaling;
        _dropout = dropout;
    }

    public double Scaling { get; }

    public long Rank => _a.Value.shape[0];

    public override IEnumerable<ModelTensor> Tensors => [_a, _b];

    public override Tensor Apply(Tensor x, Tensor y, DropoutSource dropout)
    {
        var inner = nn.functional.linear(dropout.Apply(x, _dropout, Module), _a.Value.to(x.dtype));   // (T, r)
        return addmm(y, inner, _b.Value.to(x.dtype).t(), beta: 1, alpha: (float)Scaling);
    }

    public override Tensor Merge(Tensor weight) => addmm(weight, _b.Value.detach(), _a.Value.detach(), beta: 1, alpha: (float)Scaling);
}
