using System.Text.Json;
using LlmTune.Io;
using LlmTune.Layers;

namespace LlmTune.Adapters;

/// <summary>A PEFT folder: adapter_config.json and adapter_model.safetensors.</summary>
public static class AdapterFolder
{
    public const string WeightsName = "adapter_model.safetensors";

    private const string Prefix = "base_model.model.";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Whether the folder holds an adapter.</summary>
    public static bool Is(string folder) => File.Exists(Path.Combine(folder, PeftConfig.FileName));

    /// <summary>Loads a set for these layers.</summary>
    /// <param name="device">Where its matrices go; they are float32.</param>
    /// <exception cref="RequestException">
    /// The folder does not fit the model: one message lists every tensor that is missing, unexpected or misshaped.
    /// </exception>
    public static AdapterSet Load(string folder, IReadOnlyList<LinearPart> linears, Device device, bool trainable)
    {
        var plan = PeftConfig.Read(folder);
        var file = Path.Combine(folder, WeightsName);
        if (!File.Exists(file)) throw new RequestException($"{WeightsName} is missing in {folder}; a PEFT folder holds {PeftConfig.FileName} and {WeightsName}");
        using var stored = SafetensorsFile.Open(file);
        if (stored.Tensors.Keys.FirstOrDefault(key => key.Contains(".lora_embedding_", StringComparison.Ordinal)) is { } embedding)
            throw new UnsupportedAdapterException($"{file}: {embedding}: LoRA on an embedding is not built");
        IReadOnlyList<LoraTarget> targets;
        try
        {
            targets = plan.Select(linears);
        }
        catch (RequestException e)
        {
            throw new RequestException($"{Path.Combine(folder, PeftConfig.FileName)}: {e.Message}", e);
        }
        CheckFit(file, stored, targets);
        return AdapterSet.Of(plan, targets, target => (Matrix(target, "lora_A"), Matrix(target, "lora_B")), trainable);

        Tensor Matrix(LoraTarget target, string which)
        {
            using var alias = stored.Alias(Key(stored, target, which)!);
            return alias.to(ScalarType.Float32, device, copy: true);
        }
    }

    /// <summary>Writes the folder as PEFT does; it can be loaded there and served anywhere.</summary>
    /// <param name="baseModel">What base_model_name_or_path says.</param>
    public static void Write(string folder, AdapterSet set, IReadOnlyList<LinearPart> linears, string? baseModel)
    {
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Write(
            Path.Combine(folder, WeightsName), set.Tensors.Select(tensor => KeyValuePair.Create(tensor.Name, tensor.Tensor.Value.detach())));
        var plan = set.Plan with { Targets = Spelled(set.Plan, linears) };
        AtomicFile.WriteText(Path.Combine(folder, PeftConfig.FileName), PeftConfig.Write(plan, baseModel).ToJsonString(Indented) + "\n");
    }

    /// <summary>all-linear as a list of names, as PEFT saves it: other readers need not know what the word meant.</summary>
    private static ModuleSelector Spelled(LoraPlan plan, IReadOnlyList<LinearPart> linears) => plan.Targets != ModuleSelector.AllLinear
        ? plan.Targets
        : ModuleSelector.Names(linears.Where(part => !part.IsHead).Select(part => part.Name[(part.Name.LastIndexOf('.') + 1)..])
            .Distinct().Order(StringComparer.Ordinal));

    private static void CheckFit(string file, SafetensorsFile stored, IReadOnlyList<LoraTarget> targets)
    {
        var problems = new List<string>();
        var used = new HashSet<string>(StringComparer.Ordinal);
        foreach (var target in targets)
        {
            foreach (var (which, shape) in new[] { ("lora_A", new[] { target.Rank, target.Part.Weight.In }), ("lora_B", [target.Part.Weight.Out, target.Rank]) })
            {
                if (Key(stored, target, which) is not { } key)
                {
                    problems.Add($"{Prefix}{target.Part.Name}.{which}.weight: missing");
                    continue;
                }
                used.Add(key);
                var found = stored.Tensors[key].Shape;
                if (!found.SequenceEqual(shape)) problems.Add($"{key}: shape ({string.Join(", ", found)}), the model needs ({string.Join(", ", shape)})");
            }
            // PEFT writes the frozen matrix of an adapted head or embedding too; it is the base's own.
            used.Add($"{Prefix}{target.Part.Name}.base_layer.weight");
        }
        problems.AddRange(stored.Tensors.Keys.Where(key => !used.Contains(key)).Order(StringComparer.Ordinal).Select(key => $"{key}: unexpected, no adapted layer has it"));
        if (problems.Count > 0) throw new RequestException($"{file} does not fit the model:\n  {string.Join("\n  ", problems)}");
    }

    /// <summary>The key of a matrix; folders written from named_parameters have the adapter's name in it.</summary>
    private static string? Key(SafetensorsFile stored, LoraTarget target, string which)
    {
        var start = $"{Prefix}{target.Part.Name}.{which}.";
        if (stored.Tensors.ContainsKey(start + "weight")) return start + "weight";
        return stored.Tensors.ContainsKey(start + "default.weight") ? start + "default.weight" : null;
    }
}
