using LlmTune.Layers;
using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>
/// Low-rank adaptation of an embedding, as PEFT has it: e(t) = E[t] + s B A[:, t], with A (r, V), B (D, r); so E + s (B A)ᵀ.
/// Nothing is dropped.
/// </summary>
public sealed class EmbeddingLora : Adapter
{
    private readonly Scalar? _padding;

    /// <summary>A fresh one changes nothing: A zero, B normal.</summary>
    public EmbeddingLora(LoraTarget target, Embedding part, AdapterSource source) : base(part.Name)
    {
        var (vocabulary, width) = (source.Rows(part, part.Weight.Value.shape[0]), part.Weight.Value.shape[1]);
        A = source.Take(Module, "lora_embedding_A", [target.Rank, vocabulary], _ => zeros(target.Rank, vocabulary));
        B = source.Take(Module, "lora_embedding_B", [width, target.Rank], generator => randn([width, target.Rank], generator: generator));
        Scaling = target.Scaling;
        _padding = part.Padding;
    }

    /// <summary>(r, V).</summary>
    internal ModelTensor A { get; }

    /// <summary>(D, r).</summary>
    internal ModelTensor B { get; }

    public double Scaling { get; }

    public override IEnumerable<ModelTensor> Tensors => [A, B];

    public override Tensor Apply(Tensor x, Tensor y, DropoutSource dropout)
    {
        var inner = Embedding.Lookup(A.Value.t(), x, _padding).to(y.dtype);   // (T, r)
        return addmm(y, inner, B.Value.to(y.dtype).t(), beta: 1, alpha: (float)Scaling);
    }

    public override Tensor Merge(Tensor weight) => addmm(weight, A.Value.detach().t(), B.Value.detach().t(), beta: 1, alpha: (float)Scaling);
}

/// <summary>
/// The other end of a tied embedding's adapter: the head multiplies with the same E + s (B A)ᵀ, so its LoRA has the matrices
/// A' = Bᵀ and B' = Aᵀ. It owns nothing; gradients of both ends add up in the embedding's.
/// </summary>
/// <param name="share">Of the head's inputs that is dropped in training.</param>
public sealed class TiedHeadLora(string module, EmbeddingLora embedding, double share) : Adapter(module)
{
    public override IEnumerable<ModelTensor> Tensors => [];

    public override IEnumerable<(string Name, Tensor Value)> Saved =>
        [("lora_A.weight", embedding.B.Value.detach().t()), ("lora_B.weight", embedding.A.Value.detach().t())];

    public override bool Trainable => embedding.Trainable;

    public override Tensor Apply(Tensor x, Tensor y, DropoutSource dropout)
    {
        var inner = dropout.Apply(x, share, Module).mm(embedding.B.Value.to(x.dtype));   // (T, r)
        return addmm(y, inner, embedding.A.Value.to(x.dtype), beta: 1, alpha: (float)embedding.Scaling);
    }

    public override Tensor Merge(Tensor weight) => embedding.Merge(weight);
}
