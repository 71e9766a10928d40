using LlmTune.Native;
using LlmTune.Quantization;

namespace LlmTune.Layers;

/// <summary>One layer of a decoder: x + attention(norm x), then x + mlp(norm x).</summary>
/// <param name="Attention">The mixer.</param>
/// <param name="Inner">Width of the feed-forward layer.</param>
/// <param name="FeedForwardBias">Whether it has biases.</param>
/// <param name="NormEpsilon">ε of both norms.</param>
public sealed record BlockSpec(AttentionSpec Attention, int Inner, bool FeedForwardBias, double NormEpsilon);

/// <inheritdoc cref="BlockSpec"/>
public sealed class Block(WeightSource source, string name, BlockSpec spec, int index, long width) : IDisposable
{
    private readonly RmsNorm _attentionNorm = new(source, $"{name}.input_layernorm", width, spec.NormEpsilon);
    private readonly Attention _attention = new(source, $"{name}.self_attn", spec.Attention, index, width);
    private readonly RmsNorm _mlpNorm = new(source, $"{name}.post_attention_layernorm", width, spec.NormEpsilon);
    private readonly GatedMlp _mlp = new(source, $"{name}.mlp", width, spec.Inner, spec.FeedForwardBias);

    public AttentionSpec Spec => spec.Attention;

    public IEnumerable<Projection> Projections => [.. _attention.Projections, .. _mlp.Projections];

    public IEnumerable<ModelTensor> Tensors =>
        [_attentionNorm.Weight, .. _attention.Norms.Select(n => n.Weight), _mlpNorm.Weight, .. Projections.SelectMany(p => p.Tensors)];

    /// <summary>Everything that adapters can change, in the order of Hugging Face's modules.</summary>
    public IEnumerable<Part> Parts => [_attentionNorm, .. _attention.Parts, _mlpNorm, .. _mlp.Projections.SelectMany(p => p.Parts)];

    /// <summary>Whether anything in it receives a gradient.</summary>
    public bool Trainable => Parts.Any(p => p.Adapting) || Tensors.Any(t => t.Trainable);

    /// <summary>(T, D) → (T, D).</summary>
    public Tensor Forward(Tensor x, Pass pass)
    {
        using var scope = NewDisposeScope();
        var mixed = x.Plus(_attention.Forward(_attentionNorm.Forward(x), pass));
        return mixed.Plus(_mlp.Forward(_mlpNorm.Forward(mixed), pass)).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _attentionNorm.Dispose();
        _attention.Dispose();
        _mlpNorm.Dispose();
        _mlp.Dispose();
    }
}
