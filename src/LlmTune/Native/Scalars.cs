using System.Collections.Concurrent;

namespace LlmTune.Native;

/// <summary>
/// Numbers as TorchSharp's operators take them, kept for good. <c>x * 2.0</c> makes a Scalar that nothing refers to once its handle is
/// read: a garbage collection on another thread may finalize it while libtorch still reads it, and then the operator fails, or
/// computes with whatever lies there. TorchSharp's own sum of two tensors makes one too (its alpha), and so does reading a tensor's
/// only number. Everything here goes through this; a test looks for what does not.
/// </summary>
public static class Scalars
{
    private static readonly ConcurrentDictionary<double, Scalar> Kept = new();

    /// <summary>The number, the same object every time.</summary>
    public static Scalar Of(double value) => Kept.GetOrAdd(value, number => number);

    /// <summary>For numbers that change from call to call: the caller disposes it when the operator is done.</summary>
    public static Scalar Passing(double value) => value;

    /// <summary>x + y.</summary>
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, Of(1));

    /// <summary>x + y for a number y.</summary>
    public static Tensor Plus(this Tensor x, Scalar y) => x.add(y, Of(1));

    /// <summary>x ← x + y.</summary>
    public static Tensor Increase(this Tensor x, Tensor y) => x.add_(y, Of(1));

    /// <summary>The number of a tensor that has one.</summary>
    public static double Number(this Tensor x)
    {
        using var one = x.detach().to(ScalarType.Float64).cpu().reshape(1);
        return one.data<double>()[0];
    }

    /// <summary>A number as a float32 scalar tensor, for numbers of which there are many.</summary>
    public static Tensor Tensor(double value, Device device)
    {
        using var vector = torch.tensor(new[] { (float)value }, device: device);
        return vector.squeeze(0);
    }
}
