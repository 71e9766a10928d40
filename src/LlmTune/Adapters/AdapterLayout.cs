using LlmTune.Layers;

namespace LlmTune.Adapters;

/// <summary>A linear layer or an embedding that is to be adapted.</summary>
public sealed record LoraTarget(Part Part, int Rank, double Alpha, double Scaling);

/// <summary>A tensor of the base that is to be copied and trained.</summary>
/// <param name="Parts">Whose it is: one module, or both tied ends.</param>
/// <param name="Own">Its name in the base: weight, bias.</param>
/// <param name="SavedName">Its name in a PEFT folder behind the module's.</param>
public sealed record CopyTarget(IReadOnlyList<Part> Parts, string Own, string SavedName);

/// <summary>What a plan makes of a model: which modules get an adapter, which tensors are copied, what the tied ends share.</summary>
/// <param name="Targets">In the model's order.</param>
/// <param name="TiedLora">The ends that share the embedding's adapter; the head is not among the targets.</param>
/// <param name="Copies">In the model's order.</param>
public sealed record AdapterLayout(IReadOnlyList<LoraTarget> Targets, (Embedding Input, LinearPart Head)? TiedLora, IReadOnlyList<CopyTarget> Copies)
{
    /// <exception cref="RequestException">The plan does not fit the model.</exception>
    public static AdapterLayout Of(LoraPlan plan, IReadOnlyList<Part> parts)
    {
        var ends = plan.EnsureWeightTying ? TiedEnds(parts) : null;
        var saved = parts.Where(plan.Saves).ToHashSet();
        var savedEnds = ends is var (input, head) && (saved.Contains(input) || saved.Contains(head)) ? ends : null;
        if (savedEnds is var (savedInput, savedHead)) saved.UnionWith([savedInput, savedHead]);

        // What is copied whole gets no adapter; tied ends have one between them, the embedding's.
        var targets = plan.Select(parts.Where(part => !saved.Contains(part))).ToList();
        var tied = savedEnds is null && ends is var (e, h) && targets.Any(target => target.Part == e || target.Part == h) ? ends : null;
        if (tied is var (tiedInput, tiedHead))
        {
            targets.RemoveAll(target => target.Part == tiedHead);
            if (targets.All(target => target.Part != tiedInput)) targets.Insert(0, plan.Target(tiedInput));
        }
        if (plan.LoraBias && targets.Find(target => target.Part is Embedding) is { } embedding)
            throw new RequestException($"lora_bias goes with linear layers, and target_modules names the embedding {embedding.Part.Name}; leave one of them out");
        return new AdapterLayout(targets, tied, [.. parts.SelectMany(Copies)]);

        IEnumerable<CopyTarget> Copies(Part part)
        {
            if (saved.Contains(part))
            {
                if (savedEnds is var (_, tiedTo) && part == tiedTo) return [];
                IReadOnlyList<Part> owners = savedEnds is var (first, second) && part == first ? [first, second] : [part];
                return part.Own.Select(own => new CopyTarget(owners, own.Name, own.Name));
            }
            var adapted = targets.Exists(target => target.Part == part);
            var trained = plan.Bias == BiasTraining.All || (plan.Bias == BiasTraining.LoraOnly && adapted);
            return trained && part.Own.Any(own => own.Name == "bias") ? [new CopyTarget([part], "bias", adapted ? "base_layer.bias" : "bias")] : [];
        }
    }

    /// <summary>Embedding and head where they share their matrix.</summary>
    private static (Embedding Input, LinearPart Head)? TiedEnds(IReadOnlyList<Part> parts)
    {
        var input = parts.OfType<Embedding>().FirstOrDefault();
        var head = parts.OfType<LinearPart>().FirstOrDefault(part => part.IsHead);
        return input is not null && head is not null && head.IsTiedTo(input) ? (input, head) : null;
    }
}
