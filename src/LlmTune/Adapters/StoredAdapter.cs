using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Native;
using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>The tensors of an adapter's folder. What does not fit is collected, and <see cref="Finish"/> says it all.</summary>
internal sealed class StoredAdapter(SafetensorsFile stored, IReadOnlyList<Part> parts, Device device, bool trainable) : AdapterSource(device, trainable)
{
    private const string Weight = "weight", BaseLayer = "base_layer.", Original = "original_module.", Saved = "modules_to_save.";

    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly List<string> _problems = [];
    private readonly List<AdapterNote> _notes = [];
    private readonly long? _vocabulary = Vocabulary(stored, parts);
    private readonly Device _device = device;

    /// <summary>What was found that the user should hear of.</summary>
    public IReadOnlyList<AdapterNote> Notes => _notes;

    /// <summary>
    /// How many tokens the embedding and the head in the file have. A set for another number of tokens than the base's holds both, or one
    /// where they are tied: a base that was resized before training is saved so by PEFT.
    /// </summary>
    public static long? Vocabulary(SafetensorsFile stored, IReadOnlyList<Part> parts)
    {
        var ends = parts.Where(IsEnd).ToList();
        var rows = ends.Select(end => Matrices(stored, end).Select(key => (long?)stored.Tensors[key].Shape[0]).FirstOrDefault()).ToList();
        var isTied = ends is [Embedding input, LinearPart head] && head.IsTiedTo(input);
        var found = rows.OfType<long>().Distinct().ToList();
        return found.Count == 1 && (isTied || rows.All(one => one is not null)) ? found[0] : null;
    }

    /// <exception cref="RequestException">Something is missing, unexpected or misshaped.</exception>
    public void Finish(string folder, string file, AdapterSet set)
    {
        if (_problems.Count == 0)
        {
            foreach (var (module, name, value) in set.Saved) RequireSame(module, name, value);
            foreach (var copy in set.Copies) PassOver(copy);
        }
        _problems.AddRange(stored.Tensors.Keys.Where(key => !_used.Contains(key)).Order(StringComparer.Ordinal).Select(key => $"{key}: unexpected, no adapted layer has it"));
        if (_problems.Count > 0) throw new RequestException($"{file} does not fit the model:{AnotherModel.Describe(stored, parts, _problems, folder)}");
    }

    public override long Rows(Part part, long own) => IsEnd(part) ? _vocabulary ?? own : own;

    /// <summary>
    /// Tensors under the names that the base has for them: PEFT loads them into the base. Those that say what the base says already are left
    /// out. Of tied ends the head's counts, which PEFT loads last.
    /// </summary>
    public override IEnumerable<TrainedCopy> BaseTensors(IReadOnlyList<Part> parts, AdapterLayout layout)
    {
        var copies = new List<TrainedCopy>();
        foreach (var part in parts)
        {
            foreach (var (own, value) in part.Own)
            {
                if (layout.Copies.Any(copy => copy.Own == own && copy.Parts.Contains(part)) || FindOfBase(part, own) is not { } key || !_used.Add(key)) continue;
                long[] shape = [Rows(part, value.shape[0]), .. value.shape[1..]];
                if (!stored.Tensors[key].Shape.SequenceEqual(shape)) Misshaped(key, shape);
                else if (!Says(key, value) || copies.Exists(copy => copy.Own == own && copy.Modules.Contains(part.Name))) Replace(part, own, key, value.dtype);
            }
        }
        if (copies.Count > 0)
            _notes.Add(new AdapterNote(IsWarning: false, $"with the adapter comes what stands in the base's place: {string.Join(", ", copies.SelectMany(copy => copy.Modules.Select(module => $"{module}.{copy.Own}")))}"));
        if (_vocabulary is { } rows && parts.OfType<Embedding>().FirstOrDefault() is { } table && table.Weight.Value.shape[0] != rows)
            _notes.Add(new AdapterNote(IsWarning: false, $"the base is resized from {table.Weight.Value.shape[0]:N0} to {rows:N0} tokens, as the adapter was made for"));
        return copies;

        void Replace(Part part, string own, string key, ScalarType type)
        {
            string[] modules = [part.Name];
            if (own == Weight && IsEnd(part))
            {
                // What tied ends share is one tensor, but where one of them is trained as a copy of its own.
                modules = [.. parts.Where(end => IsEnd(end) && AreTied(end, part) && !layout.Copies.Any(copy => copy.Own == Weight && copy.Parts.Contains(end))).Select(end => end.Name)];
                if (copies.Find(copy => copy.Own == own && copy.Modules.Contains(part.Name)) is { } before)
                {
                    if (!Says(key, before.Tensor.Value))
                        _notes.Add(new AdapterNote(IsWarning: true, $"{key} differs from the embedding, and the base ties both: the head's numbers are taken for both, as PEFT does; were they trained apart, set tie_word_embeddings to false in the base's config.json"));
                    copies.Remove(before);
                    before.Tensor.Dispose();
                }
            }
            using var scope = NewDisposeScope();
            copies.Add(new TrainedCopy(modules, own, new ModelTensor(own, stored.Alias(key).to(type, _device, copy: false), trainable: false)));
        }
    }

    protected override Tensor Fetch(string module, string name, long[] shape, Func<Generator, Tensor> initial)
    {
        if (Find(module, name) is not { } key)
        {
            _problems.Add($"{AdapterFolder.Key(module, name)}: missing");
            return zeros(shape);
        }
        _used.Add(key);
        if (stored.Tensors[key].Shape.SequenceEqual(shape)) return stored.Alias(key);
        Misshaped(key, shape);
        return zeros(shape);
    }

    private static bool IsEnd(Part part) => part is Embedding or LinearPart { IsHead: true };

    private bool AreTied(Part one, Part other) =>
        one == other || (parts.OfType<Embedding>().First() is var input && parts.OfType<LinearPart>().First(part => part.IsHead).IsTiedTo(input));

    /// <summary>Keys of an end's whole matrix.</summary>
    private static IEnumerable<string> Matrices(SafetensorsFile stored, Part end) =>
        Spellings(Weight).Append(BaseLayer + Weight).Select(name => AdapterFolder.Key(end.Name, name)).Where(stored.Tensors.ContainsKey);

    private string? FindOfBase(Part part, string own) =>
        new[] { BaseLayer + own, own }.Select(name => AdapterFolder.Key(part.Name, name)).FirstOrDefault(stored.Tensors.ContainsKey);

    /// <summary>Whether a tensor has the base's numbers; not told where the base has none.</summary>
    private bool Says(string key, Tensor value)
    {
        if (value.device.type == DeviceType.META) return false;
        using var scope = NewDisposeScope();
        var found = stored.Alias(key).to(value.dtype, value.device);
        return found.shape.SequenceEqual(value.shape) && found.ne(value.detach()).any().Number() == 0;
    }

    private void Misshaped(string key, long[] shape)
    {
        var ofEnd = _vocabulary is null && parts.Where(IsEnd).Any(end => key.StartsWith(AdapterFolder.Key(end.Name, ""), StringComparison.Ordinal));
        _problems.Add($"{key}: shape ({string.Join(", ", stored.Tensors[key].Shape)}), the model needs ({string.Join(", ", shape)})"
            + (ofEnd ? "; where it was made for another number of tokens, the folder must hold the matrices of embedding and head (PEFT: save_pretrained(…, save_embedding_layers=True))" : ""));
    }

    /// <summary>What tied ends share stands in the folder twice: the second time must say the same.</summary>
    private void RequireSame(string module, string name, Tensor value)
    {
        if (Find(module, name) is not { } key || !_used.Add(key)) return;
        if (!Says(key, value)) _problems.Add($"{key}: differs from the embedding's, and ensure_weight_tying says that both are the same numbers");
    }

    /// <summary>PEFT saves copies of a resized embedding three times: as they are used, once more, and with what stood there before.</summary>
    private void PassOver(TrainedCopy copy)
    {
        foreach (var module in copy.Modules)
        {
            _used.Add(AdapterFolder.Key(module, Original + copy.Own));
            var again = AdapterFolder.Key(module, Saved + copy.Own);
            if (stored.Tensors.ContainsKey(again) && _used.Add(again) && !Says(again, copy.Tensor.Value))
                _problems.Add($"{again}: differs from {AdapterFolder.Key(module, copy.Own)}, and both are said to be what was trained");
        }
    }

    private string? Find(string module, string name) =>
        Spellings(name).Select(spelling => AdapterFolder.Key(module, spelling)).FirstOrDefault(stored.Tensors.ContainsKey);

    /// <summary>A tensor's name as save_pretrained writes it, or with the adapter's name in it, as in named_parameters.</summary>
    private static IEnumerable<string> Spellings(string name)
    {
        var dot = name.LastIndexOf('.');
        return [name, dot < 0 ? $"{name}.default" : $"{name[..dot]}.default{name[dot..]}", Saved + name, $"{Saved}default.{name}"];
    }
}
