using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Native;

namespace LlmTune.Models;

/// <summary>
/// A model folder's tensors. What is frozen, alone in its tensor, on the CPU and stored in the wanted type stays in the mapped
/// file, also after this object is disposed; everything else is copied tensor by tensor to its place. What does not fit is collected, and <see cref="Finish"/> says it all.
/// </summary>
public sealed class FolderWeights : WeightSource, IDisposable
{
    private readonly SafetensorsFolder _folder;
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private readonly List<string> _problems = [];
    private readonly List<string> _unexpected = [];
    private readonly ModelSpec _spec;

    public FolderWeights(string folder, ModelSpec spec, Device device, ScalarType type, Func<string, bool> trainable) : base(device, type, trainable)
    {
        _spec = spec;
        _folder = StoredNames.Open(folder, spec);
    }

    /// <summary>Reports everything that did not fit. A copy of a tied head in the folder is no surprise.</summary>
    /// <param name="leaveOut">Whether tensors that nobody asked for are left out.</param>
    /// <returns>The tensors that were left out.</returns>
    /// <exception cref="RequestException">Tensors are missing, misshaped, of a type that cannot be read, or nobody asked for them.</exception>
    public IReadOnlyList<string> Finish(bool leaveOut)
    {
        foreach (var name in _folder.Tensors.Keys.Order(StringComparer.Ordinal))
        {
            if (_taken.Contains(name) || name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal)) continue;
            if (_spec.TiedHead && name == "lm_head.weight")
            {
                if (!SameAsEmbedding())
                    _problems.Add("lm_head.weight: differs from the embedding, but config.json says tie_word_embeddings: true; set it to false to use both");
                continue;
            }
            _unexpected.Add(name);
        }
        if (_folder.Tensors.Values.Any(tensor => tensor.Type.IsFloat8()))
            _problems.Add("models in floats of 8 bits are not built; take the same model in bfloat16");
        if (_problems.Count == 0 && (leaveOut || _unexpected.Count == 0)) return _unexpected;
        string[] lines =
        [
            .. _problems,
            .. leaveOut ? [] : _unexpected.Select(name => $"{name}: unexpected, the model has no such tensor"),
            .. leaveOut || _unexpected.Count == 0 ? Array.Empty<string>() :
                [$"→ if the model needs none of the unexpected ones, leave them out: model.ignore_unexpected_tensors: true in a run file, or {IgnoreOption}"],
        ];
        throw new RequestException($"the weights in {_folder.Folder} do not fit its config.json:\n  {string.Join("\n  ", lines)}");
    }

    /// <summary>A tensor in the type that it is stored in, over the mapped file.</summary>
    public Tensor Stored(string name) => _folder.Alias(name);

    /// <summary>Says that a tensor is not needed for now: its part of the file need not stay in memory.</summary>
    public void Forget(string name) => _folder.Forget(name);

    /// <summary>The option of verbs without a run file.</summary>
    public const string IgnoreOption = "--ignore-unexpected-tensors";

    /// <summary>Why a head may be missing.</summary>
    private string AboutHead(string name) => name != Decoder.HeadWeight(_spec) ? ""
        : _folder.Tensors.ContainsKey("score.weight")
            ? ": the folder has the head of a classifier or a reward model (score.weight), not that of a language model"
            : "; the folder has no output head: either the head is the embedding, then say tie_word_embeddings: true in config.json (without the key it is false), "
                + "or the folder is of a model without a head (a body, an encoder of texts), then take the one for causal language modelling";

    public void Dispose() => _folder.Dispose();

    protected override Tensor Fetch(IReadOnlyList<(string Name, long[] Shape)> parts, bool writable)
    {
        foreach (var (name, shape) in parts)
        {
            _taken.Add(name);
            if (!_folder.Tensors.TryGetValue(name, out var found)) _problems.Add($"{name}: missing, expected shape ({string.Join(", ", shape)}){AboutHead(name)}");
            else if (!found.Shape.SequenceEqual(shape))
                _problems.Add($"{name}: shape ({string.Join(", ", found.Shape)}), config.json asks for ({string.Join(", ", shape)})");
            else if (!found.Type.IsFloat())
                _problems.Add($"{name}: type {SafetensorsType.Find(found.Type)!.Name}{(found.Type.IsFloat8() ? " (floats of 8 bits)" : "")}, expected F32, BF16 or F16");
        }
        // Once something is wrong nothing is read any more; the rest is only checked.
        if (_problems.Count > 0) return empty(Joined(parts), Type, META);
        if (parts.Count == 1 && !writable && Device.type == DeviceType.CPU && _folder.Tensors[parts[0].Name].Type == Type)
            return _folder.Alias(parts[0].Name);

        using var scope = NewDisposeScope();
        var whole = empty(Joined(parts), Type, Device);
        long row = 0;
        foreach (var (name, shape) in parts)
        {
            whole.narrow(0, row, shape[0]).copy_(_folder.Alias(name));
            _folder.Forget(name);
            row += shape[0];
        }
        return whole.MoveToOuterDisposeScope();
    }

    private bool SameAsEmbedding()
    {
        if (!_folder.Tensors.ContainsKey("model.embed_tokens.weight")) return true;   // said as missing
        using var scope = NewDisposeScope();
        var (head, embedding) = (_folder.Alias("lm_head.weight"), _folder.Alias("model.embed_tokens.weight"));
        return head.shape.SequenceEqual(embedding.shape) && head.dtype == embedding.dtype && head.ne(embedding).any().Number() == 0;
    }
}

file static class Types
{
    /// <summary>The types of FP8, which TorchSharp has no names for.</summary>
    public static bool IsFloat8(this ScalarType type) => SafetensorsType.Find(type)?.Name.StartsWith("F8_", StringComparison.Ordinal) == true;

    public static bool IsFloat(this ScalarType type) =>
        type is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 or ScalarType.Float64;
}
