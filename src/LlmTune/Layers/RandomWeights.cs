namespace LlmTune.Layers;

/// <summary>
/// Initial weights as transformers draws them for Llama and Qwen (PreTrainedModel._init_weights): matrices and embeddings
/// N(0, initializer_range), norm weights 1, biases 0. Each tensor has a generator of its own from the seed and its name, so that
/// neither the order of construction nor another layer moves its numbers.
/// </summary>
public sealed class RandomWeights(Device device, ScalarType type, Func<string, bool> trainable, long seed, double standardDeviation = 0.02)
    : WeightSource(device, type, trainable)
{
    protected override Tensor Fetch(IReadOnlyList<(string Name, long[] Shape)> parts, bool writable)
    {
        using var scope = NewDisposeScope();
        var whole = empty(Joined(parts), Type, Device);
        long row = 0;
        foreach (var (name, shape) in parts)
        {
            var place = whole.narrow(0, row, shape[0]);
            if (shape.Length > 1) place.copy_(randn(shape, generator: Seeds.Generator(seed, name)).mul_(standardDeviation));
            else place.fill_(name.EndsWith("bias", StringComparison.Ordinal) ? 0 : 1);
            row += shape[0];
        }
        return whole.MoveToOuterDisposeScope();
    }
}
