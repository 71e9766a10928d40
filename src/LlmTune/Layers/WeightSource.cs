using LlmTune.Quantization;

namespace LlmTune.Layers;

/// <summary>
/// Where a model's tensors come from while it is built: a folder, or a random initialisation. A layer asks for each tensor once,
/// by the name it has in a folder; the model is built on its device in its type, and nothing is moved afterwards.
/// </summary>
/// <param name="device">Where tensors are put.</param>
/// <param name="type">The type that matrices, norms and biases are kept in.</param>
/// <param name="trainable">Which tensors receive gradients, by name.</param>
public abstract class WeightSource(Device device, ScalarType type, Func<string, bool> trainable)
{
    public Device Device { get; } = device;

    public ScalarType Type { get; } = type;

    /// <summary>One tensor.</summary>
    public ModelTensor Take(string name, params long[] shape) => Take([(name, shape)]);

    /// <summary>
    /// Tensors that are alike but for their rows, in one: (Σ rows, …). They are together trainable or together frozen;
    /// <see cref="Uniform"/> says whether that holds.
    /// </summary>
    public ModelTensor Take(IReadOnlyList<(string Name, long[] Shape)> parts) =>
        new([.. parts.Select(part => (part.Name, part.Shape[0]))], Fetch(parts, trainable(parts[0].Name)), trainable(parts[0].Name));

    /// <summary>Whether all of them are trained or none is.</summary>
    public bool Uniform(IEnumerable<string> names) => names.Select(trainable).Distinct().Count() <= 1;

    /// <summary>The tensors one after another along dimension 0, on <see cref="Device"/> in <see cref="Type"/>.</summary>
    /// <param name="writable">False allows memory that must not be written to, such as a mapped file.</param>
    protected abstract Tensor Fetch(IReadOnlyList<(string Name, long[] Shape)> parts, bool writable);

    protected static long[] Joined(IReadOnlyList<(string Name, long[] Shape)> parts) =>
        [parts.Sum(part => part.Shape[0]), .. parts[0].Shape[1..]];
}
