using System.Globalization;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Native;

namespace LlmTune.Recipes;

/// <summary>How far the merged model's logits are from those of base and adapter, on a batch of probe tokens, both computed in float32.</summary>
/// <param name="Largest">Largest difference.</param>
/// <param name="Scale">Largest logit.</param>
/// <param name="SameChoice">Share of positions with the same likeliest token.</param>
public sealed record MergeCheck(double Largest, double Scale, double SameChoice, int Positions)
{
    private const int Documents = 4, Length = 64;

    /// <summary>Entries of the vocabulary that are compared at a time.</summary>
    private const int Chunk = 1 << 14;

    /// <summary>Whether both give numbers at all.</summary>
    public bool IsFinite => double.IsFinite(Largest);

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"largest difference of logits {Largest:G3} (largest logit {Scale:G4}), the same likeliest token at {100 * SameChoice:F2} % of {Positions} positions, "
        + $"computed in float32");

    /// <summary>
    /// Hidden states of base and adapter and of the merged weights go side by side through the model, block after block: of each model one
    /// block is in memory at a time.
    /// </summary>
    /// <param name="merged">The folder of the merged model.</param>
    public static MergeCheck Of(ModelSource source, string merged, Device device)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var adapted = new StreamedDecoder(source.OpenBase(), source.Adapter, device);
        using var alone = new StreamedDecoder(ModelFolder.Open(merged), null, device);

        var probes = Probes(adapted.Vocabulary, adapted.Spec.MaxPositions);
        using var context = new PackedContext(
            [.. probes.SelectMany(probe => Enumerable.Range(0, probe.Length))],
            [0, .. probes.Select((_, n) => probes.Take(n + 1).Sum(probe => probe.Length))],
            device, ScalarType.Float32);
        var pass = new Pass(context);
        var ids = tensor(probes.SelectMany(probe => probe).ToArray(), ScalarType.Int64);
        var (expected, found) = (adapted.Embed(ids), alone.Embed(ids));
        for (var block = 0; block < adapted.Spec.Blocks.Count; block++)
        {
            expected = Through(adapted, block, expected, pass);
            found = Through(alone, block, found, pass);
        }
        return Compare(adapted.Logits(expected), alone.Logits(found));
    }

    private static Tensor Through(StreamedDecoder model, int block, Tensor hidden, Pass pass)
    {
        using var before = hidden;
        return model.Block(block, before, pass);
    }

    /// <param name="expected">(S, V).</param>
    /// <param name="found">(S, V).</param>
    private static MergeCheck Compare(Tensor expected, Tensor found)
    {
        var (positions, vocabulary) = (expected.shape[0], expected.shape[1]);
        var (largest, scale) = (0.0, 0.0);
        for (long start = 0; start < vocabulary; start += Chunk)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(Chunk, vocabulary - start);
            var part = expected.narrow(1, start, count);
            largest = Math.Max(largest, (part - found.narrow(1, start, count)).abs().max().Number());
            scale = Math.Max(scale, part.abs().max().Number());
        }
        var same = expected.argmax(-1).eq(found.argmax(-1)).to(ScalarType.Float64).mean().Number();
        return new MergeCheck(largest, scale, same, (int)positions);
    }

    /// <summary>Rows of random tokens, the same every time.</summary>
    private static int[][] Probes(int vocabulary, int positions)
    {
        var random = new Random(0);
        return [.. Enumerable.Range(0, Documents).Select(_ => Enumerable.Range(0, Math.Min(Length, positions)).Select(_ => random.Next(vocabulary)).ToArray())];
    }
}
