namespace LlmTune.Quantization;

/// <summary>
/// A tensor that a model or an adapter owns. Several named tensors of a folder may lie in one, row block after row block
/// (q, k and v, which are multiplied at once); <see cref="Names"/> says which.
/// </summary>
public sealed class ModelTensor : IDisposable
{
    private Tensor _value;

    /// <param name="names">The named tensors in it, in order, with their rows (their size along dimension 0).</param>
    /// <param name="value">Handed over: it lives on in this object, and its own handle is disposed.</param>
    /// <param name="trainable">Whether it receives a gradient.</param>
    public ModelTensor(IReadOnlyList<(string Name, long Rows)> names, Tensor value, bool trainable)
    {
        Names = names;
        Trainable = trainable;
        _value = Own(value);
        value.Dispose();
    }

    public ModelTensor(string name, Tensor value, bool trainable)
        : this([(name, value.dim() == 0 ? 1 : value.shape[0])], value, trainable)
    {
    }

    public IReadOnlyList<(string Name, long Rows)> Names { get; }

    public bool Trainable { get; }

    public Tensor Value => _value;

    /// <summary>Sum of the gradients since it was last cleared; null before the first backward pass.</summary>
    public Tensor? Gradient
    {
        get => _value.grad is { IsInvalid: false } gradient ? gradient : null;
        set => _value.grad = value!;
    }

    /// <summary>The named tensors: views of rows of this one.</summary>
    public IEnumerable<(string Name, Tensor View)> Views => Slice(_value.detach());

    /// <summary>The gradients of the named tensors: views.</summary>
    public IEnumerable<(string Name, Tensor View)> Gradients => Gradient is { } gradient ? Slice(gradient) : [];

    /// <summary>Puts the values into other memory of the same shape and type (a view of a flat buffer, say) and lives there from now on.</summary>
    public void MoveInto(Tensor place)
    {
        using (no_grad()) place.copy_(_value);
        var old = _value;
        _value = Own(place);
        old.Dispose();
    }

    public void Dispose() => _value.Dispose();

    private Tensor Own(Tensor tensor)
    {
        var leaf = tensor.detach();
        leaf.requires_grad = Trainable;
        return leaf.DetachFromDisposeScope();
    }

    private IEnumerable<(string, Tensor)> Slice(Tensor whole)
    {
        if (Names.Count == 1)
        {
            yield return (Names[0].Name, whole);
            yield break;
        }
        long row = 0;
        foreach (var (name, rows) in Names)
        {
            yield return (name, whole.narrow(0, row, rows));
            row += rows;
        }
    }
}
