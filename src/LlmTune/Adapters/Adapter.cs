using LlmTune.Layers;
using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>What changes the output of one module.</summary>
/// <param name="module">Full name of the module.</param>
public abstract class Adapter(string module) : IDisposable
{
    public string Module { get; } = module;

    /// <summary>The tensors that it owns, by the names they have in a PEFT folder behind the module's name (<c>lora_A.weight</c>).</summary>
    public abstract IEnumerable<ModelTensor> Tensors { get; }

    /// <summary>What a PEFT folder holds of it, by the same names.</summary>
    public virtual IEnumerable<(string Name, Tensor Value)> Saved => Tensors.Select(tensor => (tensor.Names[0].Name, tensor.Value.detach()));

    public virtual bool Trainable => Tensors.Any(tensor => tensor.Trainable);

    /// <summary>The module's output with the adapter.</summary>
    /// <param name="x">The module's input: (T, in), or (T) ids.</param>
    /// <param name="y">The base's output: (T, out).</param>
    public abstract Tensor Apply(Tensor x, Tensor y, DropoutSource dropout);

    /// <summary>The matrix with the adapter worked in, float32: such that it alone gives the adapted output.</summary>
    /// <param name="weight">Of the base, float32.</param>
    public abstract Tensor Merge(Tensor weight);

    /// <summary>What merging adds to the module's bias: (out) float32; null: nothing.</summary>
    public virtual Tensor? MergedBias => null;

    public void Dispose()
    {
        foreach (var tensor in Tensors) tensor.Dispose();
    }
}
