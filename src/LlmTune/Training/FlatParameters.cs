using LlmTune.Native;
using LlmTune.Quantization;

namespace LlmTune.Training;

/// <summary>
/// Everything that trains with the same settings, end to end in one float32 buffer, with its gradients in a second: the norm, the
/// scaling and the update are each one operation, whatever the number of tensors. A float32 tensor lives in the buffer; one of 16
/// bits keeps its own memory and has its master copy there.
/// </summary>
public sealed class FlatParameters : IDisposable
{
    /// <summary>A norm is summed in blocks of so many: one float32 sum over millions of squares is off by 1e-4.</summary>
    private const int NormBlock = 1024;

    private readonly List<(ModelTensor Tensor, Tensor Master, Tensor Gradient)> _copied = [];   // those of 16 bits
    private readonly List<Tensor> _views = [];

    /// <param name="tensors">All on one device.</param>
    /// <param name="weightDecay">Of the group.</param>
    public FlatParameters(IReadOnlyList<ModelTensor> tensors, double weightDecay)
    {
        Tensors = tensors;
        WeightDecay = weightDecay;
        var device = tensors[0].Value.device;
        Count = tensors.Sum(tensor => tensor.Value.numel());
        var room = (Count + NormBlock - 1) / NormBlock * NormBlock;   // what is beyond Count stays zero
        using var _ = no_grad();
        Values = zeros(room, ScalarType.Float32, device).DetachFromDisposeScope();
        Gradients = zeros(room, ScalarType.Float32, device).DetachFromDisposeScope();
        FirstMoment = zeros(room, ScalarType.Float32, device).DetachFromDisposeScope();
        SecondMoment = zeros(room, ScalarType.Float32, device).DetachFromDisposeScope();
        long start = 0;
        foreach (var tensor in tensors)
        {
            var (count, shape) = (tensor.Value.numel(), tensor.Value.shape);
            var value = View(Values, start, count, shape);
            var gradient = View(Gradients, start, count, shape);
            if (tensor.Value.dtype == ScalarType.Float32)
            {
                tensor.MoveInto(value);
                tensor.Gradient = gradient;
            }
            else
            {
                value.copy_(tensor.Value);
                _copied.Add((tensor, value, gradient));
            }
            start += count;
        }
    }

    public IReadOnlyList<ModelTensor> Tensors { get; }

    public double WeightDecay { get; }

    /// <summary>Number of parameters.</summary>
    public long Count { get; }

    /// <summary>(n) float32 values.</summary>
    public Tensor Values { get; }

    /// <summary>(n) float32 gradients of the step so far.</summary>
    public Tensor Gradients { get; }

    /// <summary>(n) Adam's running mean of gradients.</summary>
    public Tensor FirstMoment { get; }

    /// <summary>(n) Adam's running mean of squared gradients.</summary>
    public Tensor SecondMoment { get; }

    /// <summary>√Σ g², a float64 scalar on the device.</summary>
    public Tensor GradientNorm() => Gradients.view(-1, NormBlock).norm(1).to(ScalarType.Float64).norm();

    /// <summary>After each micro-batch: adds the 16-bit gradients to the float32 ones, so that accumulating loses nothing.</summary>
    public void CollectGradients()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (tensor, _, gradient) in _copied)
        {
            if (tensor.Gradient is not { } found) continue;
            gradient.Increase(found);
            found.zero_();
        }
    }

    /// <summary>After the update: rounds the masters into the 16-bit tensors.</summary>
    public void Publish()
    {
        using var _ = no_grad();
        foreach (var (tensor, master, _) in _copied) tensor.Value.detach().copy_(master);
    }

    /// <summary>Splits tensors into those that decay and those that do not: norms (one dimension) and biases.</summary>
    public static IReadOnlyList<FlatParameters> Group(IEnumerable<ModelTensor> tensors, double weightDecay)
    {
        var trainable = tensors.Where(tensor => tensor.Trainable).ToList();
        var (decay, plain) = (trainable.Where(t => t.Value.dim() > 1).ToList(), trainable.Where(t => t.Value.dim() <= 1).ToList());
        var groups = new List<FlatParameters>();
        if (decay.Count > 0) groups.Add(new FlatParameters(decay, weightDecay));
        if (plain.Count > 0) groups.Add(new FlatParameters(plain, 0));
        return groups;
    }

    public void Dispose()
    {
        foreach (var view in _views) view.Dispose();
        Values.Dispose();
        Gradients.Dispose();
        FirstMoment.Dispose();
        SecondMoment.Dispose();
    }

    private Tensor View(Tensor whole, long start, long count, long[] shape)
    {
        using var flat = whole.narrow(0, start, count);
        var view = flat.view(shape).DetachFromDisposeScope();
        _views.Add(view);
        return view;
    }
}
