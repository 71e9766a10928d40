using LlmTune.Native;

namespace LlmTune.Layers;

/// <summary>
/// Initial weights as transformers draws them for Llama and Qwen (PreTrainedModel._init_weights): matrices and embeddings
/// N(0, initializer_range), norm weights 1, biases 0. Each tensor has a generator of its own from the seed and its name, so that
/// neither the order of construction nor another layer moves its numbers.
/// </summary>
public sealed class RandomWeights(Device device, ScalarType type, Func<string, bool> trainable, long seed, double standardDeviation = 0.02)
    : WeightSource(device, type, trainable)
{
    /// <summary>Numbers that are drawn at a time: what a tensor needs in float32 beside itself.</summary>
    private const long Chunk = 1 << 24;

    /// <summary>One tensor, on the device in the type of this source.</summary>
    public Tensor Draw(string name, params long[] shape) => Fetch([(name, shape)], writable: true);

    protected override Tensor Fetch(IReadOnlyList<(string Name, long[] Shape)> parts, bool writable)
    {
        using var scope = NewDisposeScope();
        var whole = empty(Joined(parts), Type, Device);
        long row = 0;
        foreach (var (name, shape) in parts)
        {
            Fill(whole.narrow(0, row, shape[0]), name);
            row += shape[0];
        }
        return whole.MoveToOuterDisposeScope();
    }

    private void Fill(Tensor place, string name)
    {
        if (place.dim() == 1)
        {
            place.fill_(Scalars.Of(name.EndsWith("bias", StringComparison.Ordinal) ? 0 : 1));
            return;
        }
        using var generator = Seeds.Generator(seed, name);
        var (rows, columns) = (place.shape[0], place.shape[1]);
        var step = Math.Max(1, Chunk / columns);
        for (long row = 0; row < rows; row += step)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(step, rows - row);
            place.narrow(0, row, count).copy_(randn([count, columns], generator: generator).mul_(Scalars.Of(standardDeviation)));
        }
    }
}
