using LlmTune.Native;

namespace LlmTune.Generation;

/// <summary>
/// What changes the scores of the next token before one is chosen, as pure functions (B, V) float32 → (B, V), equal to
/// transformers' logits processors. Removed tokens have −∞.
/// </summary>
public static class Scores
{
    /// <summary>Everything that the options ask for, in transformers' order.</summary>
    /// <param name="tokens">Of every row: prompt and new tokens.</param>
    /// <param name="added">How many of each are new.</param>
    public static Tensor Process(Tensor scores, GenerationOptions options, IReadOnlyList<IReadOnlyList<int>> tokens, int added)
    {
        if (options.RepetitionPenalty != 1) scores = RepetitionPenalty(scores, options.RepetitionPenalty, tokens);
        if (options.NoRepeatNgramSize > 0) scores = NoRepeatNgram(scores, options.NoRepeatNgramSize, tokens);
        if (added < options.MinNewTokens && options.EndTokens.Count > 0) scores = Without(scores, tokens.Select(_ => options.EndTokens));
        if (!options.DoSample) return scores;
        if (options.Temperature != 1) scores = scores / Scalars.Of(options.Temperature);
        if (options.TopK > 0) scores = TopK(scores, options.TopK);
        if (options.TopP < 1) scores = TopP(scores, options.TopP);
        if (options.MinP > 0) scores = MinP(scores, options.MinP);
        return scores;
    }

    /// <summary>Of every token in the row, once: s · r where s &lt; 0, else s / r (arXiv:1909.05858 §4.1).</summary>
    public static Tensor RepetitionPenalty(Tensor scores, double penalty, IReadOnlyList<IReadOnlyList<int>> tokens)
    {
        var result = scores.clone();
        for (var row = 0; row < tokens.Count; row++)
        {
            var index = tensor(tokens[row].Distinct().Select(token => (long)token).ToArray(), ScalarType.Int64, scores.device);
            var old = scores[row].index_select(0, index);
            result[row].index_copy_(0, index, where(old.lt(Scalars.Of(0)), old * Scalars.Of(penalty), old / Scalars.Of(penalty)));
        }
        return result;
    }

    /// <summary>Removes tokens that would repeat an n-gram of the row.</summary>
    public static Tensor NoRepeatNgram(Tensor scores, int size, IReadOnlyList<IReadOnlyList<int>> tokens) => Without(scores, tokens.Select(row =>
    {
        var last = row.Skip(row.Count - size + 1).ToArray();
        return Enumerable.Range(0, Math.Max(0, row.Count - size + 1))
            .Where(start => row.Skip(start).Take(size - 1).SequenceEqual(last)).Select(start => row[start + size - 1]).Distinct().ToArray();
    }));

    /// <summary>Removes these tokens of each row.</summary>
    private static Tensor Without(Tensor scores, IEnumerable<IReadOnlyList<int>> removed)
    {
        var width = scores.shape[1];
        var places = removed.SelectMany((row, r) => row.Select(token => r * width + token)).ToArray();
        if (places.Length == 0) return scores;
        var result = scores.clone();
        result.view(-1).index_fill_(0, tensor(places, ScalarType.Int64, scores.device), Scalars.Of(double.NegativeInfinity));
        return result;
    }

    /// <summary>Removes what is smaller than the k-th largest; equal ones all stay.</summary>
    public static Tensor TopK(Tensor scores, int k)
    {
        var (values, _) = scores.topk((int)Math.Min(k, scores.shape[1]), 1);
        return Remove(scores, scores.lt(values.narrow(1, values.shape[1] - 1, 1)));
    }

    /// <summary>In rising order removes while the running sum of probabilities is at most 1 − p (arXiv:1904.09751); the likeliest stays.</summary>
    public static Tensor TopP(Tensor scores, double p)
    {
        var (sorted, order) = scores.sort(1, descending: false);
        var removed = sorted.softmax(-1).cumsum(-1).le(Scalars.Of(1 - p));
        removed.narrow(1, removed.shape[1] - 1, 1).fill_(Scalars.Of(0));
        return Remove(scores, removed.scatter(1, order, removed));
    }

    /// <summary>Removes probabilities below p times the largest (arXiv:2407.01082).</summary>
    public static Tensor MinP(Tensor scores, double p)
    {
        var probabilities = scores.softmax(-1);
        return Remove(scores, probabilities.lt(Scalars.Of(p) * probabilities.amax([1], keepdim: true)));
    }

    private static Tensor Remove(Tensor scores, Tensor removed) => scores.masked_fill(removed, Scalars.Of(double.NegativeInfinity));
}
