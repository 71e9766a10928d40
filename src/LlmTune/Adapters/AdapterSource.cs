using LlmTune.Layers;
using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>Where the tensors of a set come from while it is built: fresh numbers, or a PEFT folder. Each is asked for once.</summary>
/// <param name="device">Where they are put.</param>
/// <param name="trainable">Whether they receive gradients.</param>
public abstract class AdapterSource(Device device, bool trainable)
{
    /// <summary>One tensor; what is not trained may stay where it is stored.</summary>
    /// <param name="name">Behind the module's name, as in a PEFT folder.</param>
    /// <param name="initial">Its fresh numbers, from a generator of its own.</param>
    public ModelTensor Take(string module, string name, long[] shape, Func<Generator, Tensor> initial, ScalarType type = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        return new ModelTensor(name, Fetch(module, name, shape, initial).to(type, device, copy: trainable), trainable);
    }

    /// <summary>Tensors of the base that come with the set and stand in their place, frozen.</summary>
    public virtual IEnumerable<TrainedCopy> BaseTensors(IReadOnlyList<Part> parts, AdapterLayout layout) => [];

    /// <summary>Rows of a part's matrix: those of the base, but where the set was made for another number of tokens.</summary>
    public virtual long Rows(Part part, long own) => own;

    protected abstract Tensor Fetch(string module, string name, long[] shape, Func<Generator, Tensor> initial);
}

/// <summary>Fresh numbers: each tensor has a generator of its own from the seed and its name.</summary>
public sealed class FreshAdapter(long seed, Device device) : AdapterSource(device, trainable: true)
{
    protected override Tensor Fetch(string module, string name, long[] shape, Func<Generator, Tensor> initial)
    {
        using var generator = Seeds.Generator(seed, $"{module}.{name}");
        return initial(generator);
    }
}
