using LlmTune.Layers;

namespace LlmTune.Adapters;

/// <summary>Working a set of adapters into the matrices: in float32, rounded once by whoever stores the result.</summary>
public static class Merging
{
    /// <summary>Hands on each adapted layer's merged matrix, one at a time.</summary>
    /// <param name="store">Gets the layer and its matrix, float32 (out, in), on the layer's device.</param>
    /// <exception cref="RunException">A merged matrix is not finite; the message names the layers.</exception>
    public static void Apply(AdapterSet set, IEnumerable<LinearPart> linears, Action<LinearPart, Tensor> store)
    {
        var adapters = set.Adapters.ToDictionary(adapter => adapter.Module, StringComparer.Ordinal);
        var broken = new List<string>();
        foreach (var part in linears)
        {
            if (!adapters.TryGetValue(part.Name, out var adapter)) continue;
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            var merged = adapter.Merge(part.Weight.Dense().detach().to(ScalarType.Float32));
            if (merged.isfinite().all().ToBoolean()) store(part, merged);
            else broken.Add(part.Name);
        }
        if (broken.Count > 0)
            throw new RunException($"the merged weights are not finite (NaN or infinity) in {string.Join(", ", broken)}; the adapter is damaged or diverged in training");
    }
}
