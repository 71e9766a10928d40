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

    public FolderWeights(string folder, Device device, ScalarType type, Func<string, bool> trainable) : base(device, type, trainable) =>
        _folder = SafetensorsFolder.Open(folder);

    /// <summary>Reports everything that did not fit.</summary>
    /// <param name="tiedHead">Whether the model's head is the embedding: a copy of it in the folder is then no surprise.</param>
    /// <exception cref="RequestException">Tensors are missing, misshaped, of a type that cannot be read, or nobody asked for them.</exception>
    public void Finish(bool tiedHead)
    {
        foreach (var name in _folder.Tensors.Keys.Order(StringComparer.Ordinal))
        {
            if (_taken.Contains(name) || name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal)) continue;
            if (tiedHead && name == "lm_head.weight")
            {
                if (!SameAsEmbedding())
                    _problems.Add("lm_head.weight: differs from the embedding, but config.json says tie_word_embeddings: true; set it to false to use both");
                continue;
            }
            _problems.Add($"{name}: unexpected, the model has no such tensor");
        }
        if (_folder.Tensors.Values.Any(tensor => tensor.Type.IsFloat8()))
            _problems.Add("models in floats of 8 bits are not built; take the same model in bfloat16");
        if (_problems.Count > 0)
            throw new RequestException($"the weights in {_folder.Folder} do not fit its config.json:\n  {string.Join("\n  ", _problems)}");
    }

    /// <summary>A tensor in the type that it is stored in, over the mapped file.</summary>
    public Tensor Stored(string name) => _folder.Alias(name);

    /// <summary>Says that a tensor is not needed for now: its part of the file need not stay in memory.</summary>
    public void Forget(string name) => _folder.Forget(name);

    public void Dispose() => _folder.Dispose();

    protected override Tensor Fetch(IReadOnlyList<(string Name, long[] Shape)> parts, bool writable)
    {
        foreach (var (name, shape) in parts)
        {
            _taken.Add(name);
            if (!_folder.Tensors.TryGetValue(name, out var found)) _problems.Add($"{name}: missing, expected shape ({string.Join(", ", shape)})");
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
