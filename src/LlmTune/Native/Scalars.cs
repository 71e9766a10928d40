using System.Collections.Concurrent;

namespace LlmTune.Native;

/// <summary>
/// Numbers as TorchSharp's operators take them, kept for good. <c>x * 2.0</c> makes a Scalar that nothing refers to once its handle is
/// read: a garbage collection on another thread may finalize it while libtorch still reads it, and then the operator fails, or
/// computes with whatever lies there. What is called many times beside busy threads goes through this; numbers that change from
/// call to call go in tensors.
/// </summary>
public static class Scalars
{
    private static readonly ConcurrentDictionary<double, Scalar> Kept = new();

    /// <summary>The number, the same object every time.</summary>
    public static Scalar Of(double value) => Kept.GetOrAdd(value, number => number);

    /// <summary>A number as a float32 scalar tensor, for numbers of which there are many.</summary>
    public static Tensor Tensor(double value, Device device)
    {
        using var vector = torch.tensor(new[] { (float)value }, device: device);
        return vector.squeeze(0);
    }
}
