using System.Text.Json;
using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Native;

namespace LlmTune.Adapters;

/// <summary>A PEFT folder: adapter_config.json and adapter_model.safetensors.</summary>
public static class AdapterFolder
{
    public const string WeightsName = "adapter_model.safetensors";

    private const string Prefix = "base_model.model.";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Whether the folder holds an adapter.</summary>
    public static bool Is(string folder) => File.Exists(Path.Combine(folder, PeftConfig.FileName));

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
        if (!File.Exists(file)) throw new RequestException($"{WeightsName} is missing in {folder}; a PEFT folder holds {PeftConfig.FileName} and {WeightsName}");
        using var stored = SafetensorsFile.Open(file);
        var all = parts.ToList();
        var tensors = new StoredAdapter(stored, device, trainable);
        AdapterSet set;
        try
        {
            set = new AdapterSet(plan, all, tensors);
        }
        catch (RequestException e)
        {
            throw new RequestException($"{Path.Combine(folder, PeftConfig.FileName)}: {e.Message}", e);
        }
        try
        {
            tensors.Finish(folder, file, set, all);
            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    /// <summary>Writes the folder as PEFT does; it can be loaded there and served anywhere.</summary>
    /// <param name="baseModel">What base_model_name_or_path says.</param>
    public static void Write(string folder, AdapterSet set, IEnumerable<Part> parts, string? baseModel)
    {
        Directory.CreateDirectory(folder);
        using var scope = NewDisposeScope();
        var all = parts.ToList();
        var tensors = set.Saved.Select(tensor => KeyValuePair.Create(Key(tensor.Module, tensor.Name), tensor.Value))
            .Concat(FrozenEnds(set, all).Select(part => KeyValuePair.Create(Key(part.Name, "base_layer.weight"), part.Own.First().Value.detach())));
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

    /// <summary>The tensors of a folder. What does not fit is collected, and <see cref="Finish"/> says it all.</summary>
    private sealed class StoredAdapter(SafetensorsFile stored, Device device, bool trainable) : AdapterSource(device, trainable)
    {
        private readonly HashSet<string> _used = new(StringComparer.Ordinal);
        private readonly List<string> _problems = [];

        /// <exception cref="RequestException">Something is missing, unexpected or misshaped.</exception>
        public void Finish(string folder, string file, AdapterSet set, IReadOnlyList<Part> parts)
        {
            if (_problems.Count == 0)
            {
                foreach (var (module, name, value) in set.Saved) RequireSame(module, name, value);
            }
            // PEFT writes the frozen matrix of an adapted head or embedding too; it is the base's own.
            _used.UnionWith(set.Adapters.Select(adapter => Key(adapter.Module, "base_layer.weight")));
            _problems.AddRange(stored.Tensors.Keys.Where(key => !_used.Contains(key)).Order(StringComparer.Ordinal).Select(key => $"{key}: unexpected, no adapted layer has it"));
            if (_problems.Count > 0)
                throw new RequestException($"{file} does not fit the model:{AnotherModel.Describe(stored, parts, _problems, folder)}");
        }

        protected override Tensor Fetch(string module, string name, long[] shape, Func<Generator, Tensor> initial)
        {
            if (Find(module, name) is not { } key)
            {
                _problems.Add($"{AdapterFolder.Key(module, name)}: missing");
                return zeros(shape);
            }
            _used.Add(key);
            var found = stored.Tensors[key].Shape;
            if (found.SequenceEqual(shape)) return stored.Alias(key);
            _problems.Add($"{key}: shape ({string.Join(", ", found)}), the model needs ({string.Join(", ", shape)})");
            return zeros(shape);
        }

        /// <summary>What tied ends share stands in the folder twice: the second time must say the same.</summary>
        private void RequireSame(string module, string name, Tensor value)
        {
            if (Find(module, name) is not { } key || !_used.Add(key)) return;
            using var scope = NewDisposeScope();
            var second = stored.Alias(key).to(value.dtype, value.device);
            if (!second.shape.SequenceEqual(value.shape) || second.ne(value).any().Number() != 0)
                _problems.Add($"{key}: differs from the embedding's, and ensure_weight_tying says that both are the same numbers");
        }

        /// <summary>The key of a tensor as save_pretrained writes it, or with the adapter's name in it, as in named_parameters.</summary>
        private string? Find(string module, string name)
        {
            var dot = name.LastIndexOf('.');
            string[] spellings =
            [
                name,
                dot < 0 ? $"{name}.default" : $"{name[..dot]}.default{name[dot..]}",
                $"modules_to_save.{name}",
                $"modules_to_save.default.{name}",
            ];
            return spellings.Select(spelling => AdapterFolder.Key(module, spelling)).FirstOrDefault(stored.Tensors.ContainsKey);
        }
    }
}
