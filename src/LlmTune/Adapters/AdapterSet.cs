using LlmTune.Layers;
using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>
/// All that is trained beside a model: adapters of its modules, and copies of its tensors. Sets are switched by
/// <see cref="Activate"/>: none, this one, another. The model itself is never changed.
/// </summary>
public sealed class AdapterSet : IDisposable
{
    private readonly Dictionary<string, Adapter> _adapters = new(StringComparer.Ordinal);
    private readonly List<TrainedCopy> _copies = [];
    private readonly List<TrainedCopy> _baseTensors = [];

    /// <param name="source">Where its tensors come from; asked in the model's order.</param>
    public AdapterSet(LoraPlan plan, IReadOnlyList<Part> parts, AdapterSource source)
    {
        Plan = plan;
        using var _ = no_grad();
        var layout = AdapterLayout.Of(plan, parts);
        foreach (var target in layout.Targets)
        {
            Adapter adapter = target.Part is Embedding embedding
                ? new EmbeddingLora(target, embedding, source)
                : new LoraAdapter(target, (LinearPart)target.Part, plan, source);
            _adapters.Add(adapter.Module, adapter);
        }
        if (layout.TiedLora is var (input, head))
            _adapters.Add(head.Name, new TiedHeadLora(head.Name, (EmbeddingLora)_adapters[input.Name], plan.Dropout));
        foreach (var copy in layout.Copies)
        {
            var own = copy.Parts[0].Own.Single(tensor => tensor.Name == copy.Own).Value;
            long[] shape = [source.Rows(copy.Parts[0], own.shape[0]), .. own.shape[1..]];
            var tensor = source.Take(copy.Parts[0].Name, copy.SavedName, shape, _ => own.detach(), own.dtype);
            _copies.Add(new TrainedCopy([.. copy.Parts.Select(part => part.Name)], copy.Own, tensor));
        }
        _baseTensors.AddRange(source.BaseTensors(parts, layout));
    }

    /// <summary>A fresh set that changes nothing.</summary>
    /// <exception cref="RequestException">The plan does not fit the model.</exception>
    public static AdapterSet Create(LoraPlan plan, IEnumerable<Part> parts, long seed, Device device)
    {
        var all = parts.ToList();
        plan.RequireSavedModules(all);
        return new AdapterSet(plan, all, new FreshAdapter(seed, device));
    }

    public LoraPlan Plan { get; }

    public IEnumerable<Adapter> Adapters => _adapters.Values;

    public IReadOnlyList<TrainedCopy> Copies => _copies;

    /// <summary>Tensors of the base that an adapter's folder holds: frozen, in the place of the base's while the set is active.</summary>
    public IReadOnlyList<TrainedCopy> BaseTensors => _baseTensors;

    /// <summary>What is to be said about it beside what it was asked for.</summary>
    public IReadOnlyList<AdapterNote> Notes { get; internal init; } = [];

    /// <summary>All tensors that are trained, each once, with their keys in a PEFT folder.</summary>
    public IEnumerable<(string Name, ModelTensor Tensor)> Tensors =>
    [
        .. Adapters.SelectMany(adapter => adapter.Tensors.Select(tensor => (AdapterFolder.Key(adapter.Module, tensor.Names[0].Name), tensor))),
        .. _copies.Select(copy => (AdapterFolder.Key(copy.Modules[0], copy.Tensor.Names[0].Name), copy.Tensor)),
    ];

    /// <summary>Everything that a PEFT folder holds; what two modules share stands under both names.</summary>
    public IEnumerable<(string Module, string Name, Tensor Value)> Saved =>
    [
        .. Adapters.SelectMany(adapter => adapter.Saved.Select(tensor => (adapter.Module, tensor.Name, tensor.Value))),
        .. _copies.SelectMany(copy => copy.Saved),
        .. _baseTensors.SelectMany(tensor => tensor.Modules.Select(
            module => (module, _adapters.ContainsKey(module) ? $"base_layer.{tensor.Own}" : tensor.Own, tensor.Tensor.Value.detach()))),
    ];

    /// <summary>Makes it the active set of these modules; what it does not name is the base's.</summary>
    public void Activate(IEnumerable<Part> parts)
    {
        foreach (var part in parts)
        {
            part.Adapter = _adapters.GetValueOrDefault(part.Name);
            part.WeightCopy = CopyOf(part.Name, "weight");
            part.BiasCopy = CopyOf(part.Name, "bias");
        }
    }

    /// <summary>Whether two ends that share their matrix go on sharing it under this set.</summary>
    public bool KeepsTogether(Part input, Part head)
    {
        if (Plan.EnsureWeightTying) return true;
        var parted = _copies.Concat(_baseTensors).Any(copy => copy.Own == "weight" && copy.Modules.Contains(input.Name) != copy.Modules.Contains(head.Name));
        return !parted && !_adapters.ContainsKey(input.Name) && !_adapters.ContainsKey(head.Name);
    }

    /// <summary>Switches sets off: the model is the base.</summary>
    public static void Deactivate(IEnumerable<Part> parts)
    {
        foreach (var part in parts) (part.Adapter, part.WeightCopy, part.BiasCopy) = (null, null, null);
    }

    /// <summary>The copy in the place of a module's tensor.</summary>
    private ModelTensor? CopyOf(string module, string own) => _copies.Concat(_baseTensors).FirstOrDefault(copy => copy.Own == own && copy.Modules.Contains(module))?.Tensor;

    public void Dispose()
    {
        foreach (var adapter in Adapters) adapter.Dispose();
        foreach (var copy in _copies.Concat(_baseTensors)) copy.Tensor.Dispose();
    }
}
