using LlmTune.Layers;
using LlmTune.Quantization;

namespace LlmTune.Models;

/// <summary>
/// A causal language model: embedding, blocks, last norm, head. Hidden states are (T, D) of documents laid end to end; the
/// context of the pass says where each begins.
/// </summary>
public sealed class Decoder : IDisposable
{
    public const string HeadName = "lm_head";
    private const string Body = "model";

    public Decoder(ModelSpec spec, WeightSource source)
    {
        Spec = spec;
        Device = source.Device;
        Type = source.Type;
        Embedding = new Embedding(source, $"{Body}.embed_tokens", spec.Vocabulary, spec.Width, spec.PadToken);
        Blocks = [.. spec.Blocks.Select((block, index) => new Block(source, BlockName(index), block, index, spec.Width))];
        Norm = new RmsNorm(source, $"{Body}.norm", spec.Width, spec.NormEpsilon);
        Head = spec.TiedHead
            ? new Projection(HeadName, new DenseWeight(Embedding.Weight), isHead: true)
            : Projection.Head(source, HeadName, spec.Width, spec.Vocabulary);
    }

    /// <summary>Name of the embedding's matrix.</summary>
    public const string EmbeddingWeight = $"{Body}.embed_tokens.weight";

    /// <summary>Name of the matrix that the head multiplies with.</summary>
    public static string HeadWeight(ModelSpec spec) => spec.TiedHead ? EmbeddingWeight : $"{HeadName}.weight";

    /// <summary>What the names of a block's tensors begin with.</summary>
    public static string BlockName(int index) => $"{Body}.layers.{index}";

    public ModelSpec Spec { get; }

    public Device Device { get; }

    /// <summary>The type that it computes in.</summary>
    public ScalarType Type { get; }

    public Embedding Embedding { get; }

    public IReadOnlyList<Block> Blocks { get; }

    public RmsNorm Norm { get; }

    public Projection Head { get; }

    /// <summary>Every tensor that it owns, each once.</summary>
    public IEnumerable<ModelTensor> Tensors =>
        [Embedding.Weight, .. Blocks.SelectMany(block => block.Tensors), Norm.Weight, .. Head.Tensors];

    /// <summary>Everything that adapters can change: the embedding first, the head last.</summary>
    public IEnumerable<Part> Parts => [Embedding, .. Blocks.SelectMany(block => block.Parts), Norm, .. Head.Parts];

    /// <summary>A context for documents laid end to end.</summary>
    /// <param name="positions">(T).</param>
    /// <param name="bounds">(N + 1).</param>
    public PackedContext Packed(IReadOnlyList<int> positions, IReadOnlyList<int> bounds) => new(positions, bounds, Device, Type);

    /// <summary>(T) ids → (T, D), before the last norm.</summary>
    public Tensor Forward(Tensor ids, Pass pass)
    {
        var hidden = Embedding.Forward(ids);
        foreach (var block in Blocks)
        {
            using var before = hidden;   // what the backward pass needs of it, autograd holds
            hidden = block.Forward(before, pass);
        }
        return hidden;
    }

    /// <summary>(S, D) before the last norm → (S, V) in the model's type.</summary>
    public Tensor Logits(Tensor hidden, Pass pass) => Head.Forward(Norm.Forward(hidden), pass)[0];

    /// <summary>Names and shapes of the tensors that a model of this shape has, without building it.</summary>
    public static IReadOnlyList<(string Name, long[] Shape)> TensorShapes(ModelSpec spec)
    {
        var recorder = new ShapeRecorder();
        using var decoder = new Decoder(spec, recorder);
        return recorder.Taken;
    }

    /// <summary>A model without numbers: layers, names and shapes only.</summary>
    public static Decoder Outline(ModelSpec spec) => new(spec, new ShapeRecorder());

    public void Dispose()
    {
        Embedding.Dispose();
        foreach (var block in Blocks) block.Dispose();
        Norm.Dispose();
        Head.Dispose();
    }

    private sealed class ShapeRecorder() : WeightSource(META, ScalarType.Float32, _ => false)
    {
        public List<(string Name, long[] Shape)> Taken { get; } = [];

        protected override Tensor Fetch(IReadOnlyList<(string Name, long[] Shape)> parts, bool writable)
        {
            Taken.AddRange(parts);
            return empty(Joined(parts), Type, Device);
        }
    }
}
