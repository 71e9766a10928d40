using LlmTune.Layers;
using LlmTune.Native;
using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>
/// Low-rank adaptation of a linear layer (arXiv:2106.09685 eq. 3): y = W x + b + s (B A drop(x) + b_B), with A (r, in), B (out, r),
/// perhaps a bias b_B, and s = α / r, or α / √r (rank-stabilised, arXiv:2312.03732). A and B are float32 also over a 16-bit model,
/// and used in the model's type.
/// </summary>
public sealed class LoraAdapter : Adapter
{
    private readonly ModelTensor _a, _b;
    private readonly ModelTensor? _bias;
    private readonly double _dropout;
    private readonly Scalar _scale;

    /// <summary>A fresh one changes nothing: A uniform in ±1/√in (Kaiming with a = √5), B zero, as PEFT's init_lora_weights: true.</summary>
    public LoraAdapter(LoraTarget target, LinearPart part, LoraPlan plan, AdapterSource source) : base(part.Name)
    {
        var (@in, @out) = (part.Weight.In, source.Rows(part, part.Weight.Out));
        var bound = 1 / Math.Sqrt(@in);
        _a = source.Take(Module, "lora_A.weight", [target.Rank, @in], generator => rand([target.Rank, @in], generator: generator).mul_(Scalars.Of(2 * bound)).sub_(Scalars.Of(bound)));
        _b = source.Take(Module, "lora_B.weight", [@out, target.Rank], _ => zeros(@out, target.Rank));
        _bias = plan.LoraBias ? source.Take(Module, "lora_B.bias", [@out], _ => zeros(@out)) : null;
        Scaling = target.Scaling;
        _scale = Scalars.Of(Scaling);
        _dropout = plan.Dropout;
    }

    public double Scaling { get; }

    public long Rank => _a.Value.shape[0];

    public override IEnumerable<ModelTensor> Tensors => _bias is null ? [_a, _b] : [_a, _b, _bias];

    public override Tensor Apply(Tensor x, Tensor y, DropoutSource dropout)
    {
        if (_bias is not null) y = y.add(_bias.Value.to(y.dtype), alpha: _scale);
        var inner = nn.functional.linear(dropout.Apply(x, _dropout, Module), _a.Value.to(x.dtype));   // (T, r)
        return addmm(y, inner, _b.Value.to(x.dtype).t(), beta: 1, alpha: (float)Scaling);
    }

    public override Tensor Merge(Tensor weight) => addmm(weight, _b.Value.detach(), _a.Value.detach(), beta: 1, alpha: (float)Scaling);

    public override Tensor? MergedBias => _bias is null ? null : _bias.Value.detach() * _scale;
}
