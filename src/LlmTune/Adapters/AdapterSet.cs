using LlmTune.Layers;
using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>One adapter for each adapted layer of a model. Sets are switched by <see cref="Activate"/>: none, this one, another.</summary>
public sealed class AdapterSet : IDisposable
{
    private readonly Dictionary<string, Adapter> _adapters;

    private AdapterSet(LoraPlan plan, IEnumerable<Adapter> adapters)
    {
        Plan = plan;
        _adapters = adapters.ToDictionary(adapter => adapter.Module, StringComparer.Ordinal);
    }

    public LoraPlan Plan { get; }

    /// <summary>In the model's order.</summary>
    public IEnumerable<Adapter> Adapters => _adapters.Values;

    /// <summary>All tensors, with their names in a PEFT folder.</summary>
    public IEnumerable<(string Name, ModelTensor Tensor)> Tensors =>
        Adapters.SelectMany(adapter => adapter.Tensors.Select(tensor => ($"base_model.model.{adapter.Module}.{tensor.Names[0].Name}", tensor)));

    /// <summary>
    /// A fresh set that changes nothing: A uniform in ±1/√in (Kaiming with a = √5), B zero, as PEFT's init_lora_weights: true.
    /// Each matrix has a generator of its own from the seed and the module's name.
    /// </summary>
    public static AdapterSet Create(LoraPlan plan, IEnumerable<LinearPart> linears, long seed, Device device) =>
        new(plan, plan.Select(linears).Select(target =>
        {
            var (@in, @out) = (target.Part.Weight.In, target.Part.Weight.Out);
            using var scope = NewDisposeScope();
            var bound = 1 / Math.Sqrt(@in);
            var a = rand([target.Rank, @in], generator: Seeds.Generator(seed, target.Part.Name + ".lora_A")).mul_(2 * bound).sub_(bound).to(device);
            var b = zeros(@out, target.Rank, ScalarType.Float32, device);
            return new LoraAdapter(target.Part.Name, a, b, target.Scaling, plan.Dropout, trainable: true);
        }));

    /// <summary>A set from given matrices.</summary>
    /// <param name="matrices">For a target: A (r, in) and B (out, r).</param>
    public static AdapterSet Of(LoraPlan plan, IEnumerable<LoraTarget> targets, Func<LoraTarget, (Tensor A, Tensor B)> matrices, bool trainable) =>
        new(plan, targets.Select(target =>
        {
            var (a, b) = matrices(target);
            return new LoraAdapter(target.Part.Name, a, b, target.Scaling, plan.Dropout, trainable);
        }));

    /// <summary>Makes it the active set of these layers; layers without an adapter in it have none.</summary>
    public void Activate(IEnumerable<LinearPart> linears)
    {
        foreach (var part in linears) part.Adapter = _adapters.GetValueOrDefault(part.Name);
    }

    /// <summary>Switches adapters off.</summary>
    public static void Deactivate(IEnumerable<LinearPart> linears)
    {
        foreach (var part in linears) part.Adapter = null;
    }

    public void Dispose()
    {
        foreach (var adapter in Adapters) adapter.Dispose();
    }
}
