using LlmTune.Layers;
using LlmTune.Native;

namespace LlmTune.Adapters;

/// <summary>Working a set into the base's tensors, one at a time: in float32, rounded once to the type they are stored in.</summary>
public sealed class Merging
{
    private readonly Dictionary<string, Func<Tensor, Tensor>> _changes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long[]> _shapes = new(StringComparer.Ordinal);
    private readonly List<string> _broken = [];

    /// <exception cref="RequestException">A module would need a bias that the base has not.</exception>
    public Merging(AdapterSet set, IEnumerable<Part> parts)
    {
        var biases = parts.Where(part => part.Own.Any(own => own.Name == "bias")).Select(part => part.Name).ToHashSet(StringComparer.Ordinal);
        var without = set.Adapters.Where(adapter => adapter.MergedBias is not null && !biases.Contains(adapter.Module)).Select(adapter => adapter.Module).ToList();
        if (without.Count > 0)
        {
            throw new RequestException(
                $"the adapter has lora_bias, which merging adds to a layer's bias, and the base has none in {string.Join(", ", without)}; use base and adapter side by side");
        }
        foreach (var copy in set.Copies.Concat(set.BaseTensors))
        {
            foreach (var module in copy.Modules)
            {
                _changes[$"{module}.{copy.Own}"] = _ => copy.Tensor.Value.detach().to(ScalarType.Float32);
                _shapes[$"{module}.{copy.Own}"] = copy.Tensor.Value.shape;
            }
        }
        foreach (var adapter in set.Adapters)
        {
            var (weight, matrix) = ($"{adapter.Module}.weight", _changes.GetValueOrDefault($"{adapter.Module}.weight", own => own));
            _changes[weight] = own => adapter.Merge(matrix(own));
            if (adapter.MergedBias is null) continue;
            var bias = $"{adapter.Module}.bias";
            var before = _changes.GetValueOrDefault(bias, own => own);
            _changes[bias] = own => before(own).Plus(adapter.MergedBias!);
        }
    }

    /// <summary>Full names of the tensors that the set changes.</summary>
    public IReadOnlyCollection<string> Changed => _changes.Keys;

    public bool Changes(string name) => _changes.ContainsKey(name);

    /// <summary>The merged tensor's shape: the stored one's, but where the set was made for another number of tokens.</summary>
    public long[] ShapeOf(string name, long[] stored) => _shapes.GetValueOrDefault(name, stored);

    /// <summary>The merged tensor, in the stored one's type.</summary>
    /// <param name="stored">The base's tensor of this name.</param>
    public Tensor Apply(string name, Tensor stored)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var merged = _changes[name](stored.detach().to(ScalarType.Float32));
        if (merged.isfinite().all().Number() == 0) _broken.Add(name);
        return merged.to(stored.dtype).MoveToOuterDisposeScope();
    }

    /// <exception cref="RunException">A merged tensor was not finite; the message names all of them.</exception>
    public void Finish()
    {
        if (_broken.Count > 0)
            throw new RunException($"the merged weights are not finite (NaN or infinity) in {string.Join(", ", _broken)}; the adapter is damaged or diverged in training");
    }
}
