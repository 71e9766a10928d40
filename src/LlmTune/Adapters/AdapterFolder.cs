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

    /// <summary>Whether the folder holds all of an adapter.</summary>
    public static bool IsWhole(string folder) => Is(folder) && File.Exists(Path.Combine(folder, WeightsName));

    /// <summary>The key of a tensor.</summary>
    /// <param name="name">Behind the module's name.</param>
    public static string Key(string module, string name) => $"{Prefix}{module}.{name}";

    /// <summary>Loads a set for a model's modules.</summary>
    /// <param name="device">Where its tensors go; adapters are float32, copies have the type of what they stand for.</param>
    /// <param name="trainable">To go on training it.</param>
    /// <exception cref="RequestException">
    /// The folder does not fit the model: one message lists every tensor that is missing, unexpected or misshaped.
    /// </exception>
    public static AdapterSet Load(string folder, IEnumerable<Part> parts, Device device, bool trainable)
    {
        var plan = PeftConfig.Read(folder);
        var file = Path.Combine(folder, WeightsName);
        if (!File.Exists(file))
        {
            throw new RequestException(
                $"{WeightsName} is missing in {folder}; a PEFT folder holds {PeftConfig.FileName} and {WeightsName}{(OtherForms.Describe(folder) is { } other ? $". It holds {other}" : "")}");
        }
        using var stored = SafetensorsFile.Open(file);
        var all = parts.ToList();
        var tensors = new StoredAdapter(stored, all, device, trainable);
        AdapterSet set;
        try
        {
            set = new AdapterSet(plan, all, tensors) { Notes = [.. plan.Notes, .. tensors.Notes] };
        }
        catch (RequestException e)
        {
            throw new RequestException($"{Path.Combine(folder, PeftConfig.FileName)}: {e.Message}", e);
        }
        try
        {
            tensors.Finish(folder, file, set);
            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    /// <summary>How many tokens the embedding of an adapter's folder has; null where it holds none.</summary>
    /// <exception cref="RunException">Its weights are damaged.</exception>
    public static int? Vocabulary(string folder, IEnumerable<Part> parts)
    {
        var file = Path.Combine(folder, WeightsName);
        if (!File.Exists(file)) return null;
        using var stored = SafetensorsFile.Open(file);
        return StoredAdapter.Vocabulary(stored, [.. parts]) is { } rows ? (int)rows : null;
    }

    /// <summary>Writes the folder as PEFT does; it can be loaded there and served anywhere.</summary>
    /// <param name="baseModel">What base_model_name_or_path says.</param>
    public static void Write(string folder, AdapterSet set, IEnumerable<Part> parts, string? baseModel)
    {
        Directory.CreateDirectory(folder);
        using var scope = NewDisposeScope();
        var all = parts.ToList();
        var tensors = set.Saved.Select(tensor => KeyValuePair.Create(Key(tensor.Module, tensor.Name), tensor.Value))
            .Concat(FrozenEnds(set, all).Where(part => !set.BaseTensors.Any(tensor => tensor.Modules.Contains(part.Name))).Select(part => KeyValuePair.Create(Key(part.Name, "base_layer.weight"), part.Own.First().Value.detach())));
        SafetensorsWriter.Write(Path.Combine(folder, WeightsName), tensors);
        var plan = set.Plan with { Targets = Spelled(set, all) };
        AtomicFile.WriteText(Path.Combine(folder, PeftConfig.FileName), PeftConfig.Write(plan, baseModel).ToJsonString(Indented) + "\n");
    }

    /// <summary>
    /// Embedding and head whose frozen matrix PEFT writes beside their adapter: where target_modules is a regular expression or has
    /// one of them by its plain name.
    /// </summary>
    private static IEnumerable<Part> FrozenEnds(AdapterSet set, IReadOnlyList<Part> parts)
    {
        var ends = parts.Where(part => part is Embedding or LinearPart { IsHead: true }).ToList();
        var named = set.Plan.Targets is ModuleSelector.Pattern
            || (set.Plan.Targets is ModuleSelector.NameList list && ends.Exists(part => list.Items.Contains(part.ShortName)));
        return named ? ends.Where(part => set.Adapters.Any(adapter => adapter.Module == part.Name)) : [];
    }

    /// <summary>all-linear as a list of names, as PEFT saves it: other readers need not know what the word meant.</summary>
    private static ModuleSelector Spelled(AdapterSet set, IReadOnlyList<Part> parts) => set.Plan.Targets != ModuleSelector.AllLinear
        ? set.Plan.Targets
        : ModuleSelector.Names(parts.Where(ModuleSelector.AllLinear.Matches).Select(part => part.ShortName).Distinct().Order(StringComparer.Ordinal));
}
