using LlmTune.Layers;
using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>What changes the output of one linear layer.</summary>
/// <param name="module">Full name of the layer.</param>
public abstract class Adapter(string module) : IDisposable
{
    public string Module { get; } = module;

    /// <summary>Its tensors, by the names they have in a PEFT folder behind the module's name (<c>lora_A.weight</c>).</summary>
    public abstract IEnumerable<ModelTensor> Tensors { get; }

    public bool Trainable => Tensors.Any(tensor => tensor.Trainable);

    /// <summary>The layer's output with the adapter: x (T, in), y = W x + b (T, out) → (T, out).</summary>
    public abstract Tensor Apply(Tensor x, Tensor y, DropoutSource dropout);

    /// <summary>The matrix with the adapter worked in, float32 (out, in): such that it alone gives the adapted output.</summary>
    /// <param name="weight">(out, in) float32.</param>
    public abstract Tensor Merge(Tensor weight);

    public void Dispose()
    {
        foreach (var tensor in Tensors) tensor.Dispose();
    }
}
