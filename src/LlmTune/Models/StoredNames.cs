using LlmTune.Io;

namespace LlmTune.Models;

/// <summary>Opens a folder's weights under the names that a model has for them, as transformers finds them.</summary>
internal static class StoredNames
{
    private const string Body = "model.";

    /// <summary>
    /// A folder of the body alone (LlamaModel) leaves "model." out. Of tied ends one is enough, whichever, and an index may name the other
    /// though it is nowhere.
    /// </summary>
    /// <exception cref="RequestException">There are no weights.</exception>
    /// <exception cref="RunException">They are damaged.</exception>
    public static SafetensorsFolder Open(string folder, ModelSpec spec)
    {
        const string head = $"{Decoder.HeadName}.weight";
        var weights = SafetensorsFolder.Open(folder, mayLack: name => spec.TiedHead && (name == head || name == Decoder.EmbeddingWeight));
        var names = weights.Tensors.Keys;
        if (!names.Any(name => name.StartsWith(Body, StringComparison.Ordinal)) && names.Contains(Decoder.EmbeddingWeight[Body.Length..]))
            weights = weights.Renamed(name => name == head ? name : Body + name);
        if (spec.TiedHead && !weights.Tensors.ContainsKey(Decoder.EmbeddingWeight) && weights.Tensors.ContainsKey(head))
            weights = weights.Renamed(name => name == head ? Decoder.EmbeddingWeight : name);
        return weights;
    }
}
