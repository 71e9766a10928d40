using LlmTune.Quantization;

namespace LlmTune.Layers;

/// <summary>One linear layer as Hugging Face names it: y = x Wᵀ + b, and perhaps an adapter.</summary>
/// <param name="isHead">Whether it is the output head.</param>
public sealed class LinearPart(string name, Weight weight, Func<Tensor?> bias, bool isHead = false) : Part(name)
{
    public bool IsHead { get; } = isHead;

    public Weight Weight => WeightCopy is null ? weight : new DenseWeight(WeightCopy);

    /// <summary>(out), or null.</summary>
    public Tensor? Bias => BiasCopy?.Value ?? bias();

    public override IEnumerable<(string Name, Tensor Value)> Own =>
        bias() is { } own ? [("weight", weight.Dense()), ("bias", own)] : [("weight", weight.Dense())];

    /// <summary>Whether its matrix is the embedding's.</summary>
    public bool IsTiedTo(Embedding embedding) => weight is DenseWeight dense && ReferenceEquals(dense.Storage, embedding.Weight);
}

/// <summary>
/// One to n linear layers that share an input (q, k and v; gate and up; or one alone), multiplied at once where all are stored
/// in one matrix. On disk and in adapters they keep their own names.
/// </summary>
public sealed class Projection : IDisposable
{
    private readonly ModelTensor? _matrix;   // (Σ out, in) of all parts
    private readonly ModelTensor? _bias;     // (Σ out)
    private readonly ModelTensor[] _owned;
    private readonly long[] _sizes;

    public IReadOnlyList<LinearPart> Parts { get; }

    /// <param name="parts">Name and outputs of each.</param>
    public Projection(WeightSource source, long @in, bool bias, params (string Name, long Out)[] parts)
    {
        _sizes = [.. parts.Select(part => part.Out)];
        var matrices = parts.Select(part => (Name: part.Name + ".weight", Shape: new[] { part.Out, @in })).ToArray();
        var biases = parts.Select(part => (Name: part.Name + ".bias", Shape: new[] { part.Out })).ToArray();
        var together = source.Uniform(matrices.Select(m => m.Name)) && (!bias || source.Uniform(biases.Select(b => b.Name)));
        if (together)
        {
            _matrix = source.Take(matrices);
            _bias = bias ? source.Take(biases) : null;
            _owned = _bias is null ? [_matrix] : [_matrix, _bias];
            var rows = _sizes.Select((_, i) => _sizes[..i].Sum()).ToArray();
            Parts = [.. parts.Select((part, i) => new LinearPart(
                part.Name, new DenseWeight(_matrix, rows[i], part.Out, @in), () => _bias?.Value.narrow(0, rows[i], part.Out)))];
        }
        else
        {
            var own = parts.Select((_, i) => (Matrix: source.Take([matrices[i]]), Bias: bias ? source.Take([biases[i]]) : null)).ToArray();
            _owned = [.. own.SelectMany(o => o.Bias is null ? new[] { o.Matrix } : [o.Matrix, o.Bias])];
            Parts = [.. parts.Select((part, i) => new LinearPart(part.Name, new DenseWeight(own[i].Matrix), () => own[i].Bias?.Value))];
        }
    }

    /// <summary>A layer over a matrix that somebody else owns: a head tied to the embedding.</summary>
    public Projection(string name, DenseWeight shared, bool isHead)
    {
        _owned = [];
        _sizes = [shared.Out];
        Parts = [new LinearPart(name, shared, () => null, isHead)];
    }

    /// <summary>An output head of its own.</summary>
    public static Projection Head(WeightSource source, string name, long @in, long @out)
    {
        var matrix = source.Take(name + ".weight", @out, @in);
        return new Projection(name, new DenseWeight(matrix), isHead: true, matrix);
    }

    private Projection(string name, DenseWeight weight, bool isHead, ModelTensor owned) : this(name, weight, isHead) => _owned = [owned];

    /// <summary>What this layer owns.</summary>
    public IEnumerable<ModelTensor> Tensors => _owned;

    /// <summary>Whether anything in it receives a gradient.</summary>
    public bool Trainable => Parts.Any(part => part.Weight.Trainable || part.Adapting) || _owned.Any(t => t.Trainable);

    /// <summary>x: (T, in) → each part's (T, out).</summary>
    public Tensor[] Forward(Tensor x, Pass pass)
    {
        var outputs = _matrix is not null && Parts.Count > 1 && Parts.All(part => part.WeightCopy is null)
            ? nn.functional.linear(x, _matrix.Value, Bias()!).split(_sizes, 1)
            : [.. Parts.Select(part => part.Weight.Multiply(x, part.Bias))];
        for (var i = 0; i < outputs.Length; i++)
            if (Parts[i].Adapter is { } adapter) outputs[i] = adapter.Apply(x, outputs[i], pass.Dropout);
        return outputs;
    }

    /// <summary>(Σ out) of all parts, or null.</summary>
    private Tensor? Bias() => Parts.Any(part => part.BiasCopy is not null) ? cat([.. Parts.Select(part => part.Bias!)], 0) : _bias?.Value;

    public void Dispose()
    {
        foreach (var tensor in _owned) tensor.Dispose();
    }
}
