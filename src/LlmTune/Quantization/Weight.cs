namespace LlmTune.Quantization;

/// <summary>How the matrix of a linear layer is stored. Adapters and layers see only this: a new format is one new class.</summary>
/// <param name="out">Rows: outputs.</param>
/// <param name="in">Columns: inputs.</param>
public abstract class Weight(long @out, long @in)
{
    public long Out { get; } = @out;

    public long In { get; } = @in;

    /// <summary>x Wᵀ + bias: (T, in) → (T, out).</summary>
    public abstract Tensor Multiply(Tensor x, Tensor? bias);

    /// <summary>The matrix (out, in) as numbers; a view where it is stored so.</summary>
    public abstract Tensor Dense();

    /// <summary>Whether the matrix itself receives a gradient.</summary>
    public abstract bool Trainable { get; }
}

/// <summary>A matrix stored as numbers: rows <paramref name="row"/> to row + out of a tensor that several layers may share.</summary>
public sealed class DenseWeight(ModelTensor storage, long row, long @out, long @in) : Weight(@out, @in)
{
    public DenseWeight(ModelTensor storage) : this(storage, 0, storage.Value.shape[0], storage.Value.shape[1])
    {
    }

    public ModelTensor Storage { get; } = storage;

    public override bool Trainable => Storage.Trainable;

    public override Tensor Dense() => Whole ? Storage.Value : Storage.Value.narrow(0, row, Out);

    public override Tensor Multiply(Tensor x, Tensor? bias) => nn.functional.linear(x, Dense(), bias!);

    private bool Whole => Out == Storage.Value.shape[0];
}
