namespace LlmTune.Data;

/// <summary>What the mixture needs to know of a source.</summary>
/// <param name="Documents">Its documents, in the order of the file.</param>
/// <param name="Weight">Its share, against the other weights.</param>
/// <param name="MaxRepeats">How often it may be gone through in an epoch that lasts until all are exhausted.</param>
public sealed record MixtureSource(int[] Documents, double Weight = 1, int? MaxRepeats = null);

/// <summary>
/// The order of documents in an epoch: a pure function of sources, weights, seed and epoch, so that a position in it is all that a
/// checkpoint has to keep.
/// </summary>
public static class Mixture
{
    /// <summary>More draws than this in one epoch is a mistake in the weights.</summary>
    private const double MostDraws = 500e6;

    /// <summary>Which source the draw at a position takes: a uniform number of (seed, epoch, position) against the weights.</summary>
    /// <param name="weights">Shares; 0 for a source that gives no more.</param>
    public static int SourceAt(ReadOnlySpan<double> weights, ulong seed, int epoch, long position)
    {
        var total = 0.0;
        foreach (var weight in weights) total += weight;
        var point = SplitMix64.Uniform(SplitMix64.Hash(seed, 1, (ulong)epoch, (ulong)position)) * total;
        var last = 0;
        for (var s = 0; s < weights.Length; s++)
        {
            if (weights[s] <= 0) continue;
            last = s;
            if (point < weights[s]) return s;
            point -= weights[s];
        }
        return last;
    }

    /// <summary>The documents of an epoch in order.</summary>
    /// <exception cref="RequestException">The weights would make the epoch endless.</exception>
    public static int[] Draw(IReadOnlyList<MixtureSource> sources, MixingMode mixing, bool shuffle, ulong seed, int epoch)
    {
        var filled = sources.Where(s => s.Documents.Length > 0).ToList();
        return mixing == MixingMode.Once || filled.Count < 2 ? Once(filled, shuffle, seed, epoch) : Interleaved(filled, mixing, shuffle, seed, epoch);
    }

    private static int[] Once(List<MixtureSource> sources, bool shuffle, ulong seed, int epoch)
    {
        int[] order = [.. sources.SelectMany(s => s.Documents)];
        if (shuffle) SplitMix64.Of(seed, 2, (ulong)epoch).Shuffle(order.AsSpan());
        return order;
    }

    private static int[] Interleaved(List<MixtureSource> sources, MixingMode mixing, bool shuffle, ulong seed, int epoch)
    {
        var weights = sources.Select(s => s.Weight).ToArray();
        RefuseEndless(sources, weights, mixing);
        var order = new List<int>();
        var passes = new int[sources.Count];
        var next = new int[sources.Count];
        var current = sources.Select((s, i) => Pass(s, i, 0)).ToArray();
        while (true)
        {
            var s = SourceAt(weights, seed, epoch, order.Count);
            order.Add(current[s][next[s]++]);
            if (next[s] < current[s].Length) continue;
            (next[s], passes[s]) = (0, passes[s] + 1);
            if (mixing == MixingMode.FirstExhausted || !passes.Contains(0)) return [.. order];
            if (passes[s] == sources[s].MaxRepeats)
                weights[s] = 0;
            else
                current[s] = Pass(sources[s], s, passes[s]);
        }

        int[] Pass(MixtureSource source, int index, int pass)
        {
            if (!shuffle) return source.Documents;
            int[] documents = [.. source.Documents];
            SplitMix64.Of(seed, 3, (ulong)epoch, (ulong)index, (ulong)pass).Shuffle(documents.AsSpan());
            return documents;
        }
    }

    private static void RefuseEndless(List<MixtureSource> sources, double[] weights, MixingMode mixing)
    {
        var lengths = sources.Select((s, i) => s.Documents.Length * weights.Sum() / weights[i]).ToArray();
        var draws = mixing == MixingMode.FirstExhausted ? lengths.Min() : lengths.Max();
        if (draws <= MostDraws || sources.All(s => s.MaxRepeats is not null)) return;
        throw new RequestException(
            FormattableString.Invariant($"with these weights an epoch would take {draws:N0} rows until every source is exhausted; ")
            + "raise the smallest weight, or set mixing: first_exhausted or max_repeats");
    }

    /// <summary>
    /// Weights per document for weights that are meant per token: a source of long documents is drawn less often by as much as they are
    /// longer.
    /// </summary>
    public static double PerDocument(double weight, double meanTokens) => weight / Math.Max(meanTokens, 1);
}
