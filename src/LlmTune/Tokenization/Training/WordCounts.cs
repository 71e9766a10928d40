using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace LlmTune.Tokenization;

/// <summary>How often each piece occurs in texts, counted on all processors; the sums do not depend on how many there are.</summary>
internal static class WordCounts
{
    /// <summary>Texts are handed to the processors in bundles of about so many characters.</summary>
    private const int BundleLength = 1 << 20;

    /// <param name="threads">0 for as many as there are processors.</param>
    public static Dictionary<string, long> Count(
        IEnumerable<string> texts, TextNormalizer? normalizer, Splitter splitter, int threads, Action<long>? charactersRead, CancellationToken cancel)
    {
        var all = new Dictionary<string, long>(StringComparer.Ordinal);
        var read = 0L;
        var options = new ParallelOptions { CancellationToken = cancel, MaxDegreeOfParallelism = threads > 0 ? threads : Environment.ProcessorCount };
        Parallel.ForEach(
            Partitioner.Create(Bundles(texts), EnumerablePartitionerOptions.NoBuffering),
            options,
            () => new Dictionary<string, long>(StringComparer.Ordinal),
            (bundle, state, counts) =>
            {
                var words = counts.GetAlternateLookup<ReadOnlySpan<char>>();
                Action<Piece> count = piece => CollectionsMarshal.GetValueRefOrAddDefault(words, piece.Chars, out _)++;
                var cut = splitter.Before(count);
                var length = 0L;
                foreach (var text in bundle)
                {
                    length += text.Length;
                    var stretch = AlignedText.Untracked(Utf16.WithoutLoneSurrogates(text), 0);
                    normalizer?.Apply(stretch);
                    if (stretch.Text.Length > 0) cut(Piece.All(stretch));
                }
                charactersRead?.Invoke(Interlocked.Add(ref read, length));
                return counts;
            },
            counts =>
            {
                lock (all)
                {
                    foreach (var (word, count) in counts) CollectionsMarshal.GetValueRefOrAddDefault(all, word, out _) += count;
                }
            });
        return all;
    }

    private static IEnumerable<List<string>> Bundles(IEnumerable<string> texts)
    {
        var (bundle, length) = (new List<string>(), 0);
        foreach (var text in texts)
        {
            bundle.Add(text);
            length += text.Length;
            if (length < BundleLength) continue;
            yield return bundle;
            (bundle, length) = ([], 0);
        }
        if (bundle.Count > 0) yield return bundle;
    }
}
