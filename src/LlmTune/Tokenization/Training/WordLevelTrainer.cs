using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// A vocabulary of whole words (runs of word characters or of symbols), the most frequent first, of equal ones in order of code points.
/// </summary>
public static class WordLevelTrainer
{
    /// <param name="specialTokens">They take the first ids.</param>
    /// <param name="threads">0 for as many as there are processors.</param>
    /// <returns>The entries in order of their ids.</returns>
    public static IReadOnlyList<string> Train(
        IEnumerable<string> texts, int vocabularySize = 30_000, long minFrequency = 0, IReadOnlyList<string>? specialTokens = null,
        int threads = 0, CancellationToken cancel = default)
    {
        var words = new MatchSplitter(WordOrSymbols.Matches, SplitBehavior.Removed, invert: true);
        var counts = WordCounts.Count(texts, null, words, threads, null, cancel);
        return [.. (specialTokens ?? [])
            .Concat(counts
                .Where(word => word.Value >= minFrequency)
                .OrderByDescending(word => word.Value)
                .ThenBy(word => word.Key, Comparer<string>.Create(CompareCodePoints))
                .Select(word => word.Key))
            .Take(vocabularySize)];
    }

    /// <summary>UTF-16's order has the characters beyond U+FFFF before U+E000.</summary>
    private static int CompareCodePoints(string x, string y) => Encoding.UTF8.GetBytes(x).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y));
}
