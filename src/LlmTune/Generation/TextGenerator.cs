using LlmTune.Layers;
using LlmTune.Models;

namespace LlmTune.Generation;

/// <summary>Writes on from prompts, greedily or by sampling, with a cache of keys and values. Rows that have ended leave the batch.</summary>
public static class TextGenerator
{
    /// <param name="prompts">Token ids of each row, at least one.</param>
    /// <param name="onToken">Hears of every new token: row and id.</param>
    /// <returns>The new tokens of each row, an end token included.</returns>
    public static int[][] Generate(
        Decoder model, IReadOnlyList<int[]> prompts, GenerationOptions options, Action<int, int>? onToken = null, CancellationToken cancel = default) =>
        Generate(model, prompts, options, onToken, null, cancel);

    /// <param name="onScores">Sees the rows and, before and after processing, their scores (B, V).</param>
    internal static int[][] Generate(
        Decoder model, IReadOnlyList<int[]> prompts, GenerationOptions options, Action<int, int>? onToken,
        Action<IReadOnlyList<int>, Tensor, Tensor>? onScores, CancellationToken cancel = default)
    {
        if (prompts.Any(prompt => prompt.Length == 0)) throw new RequestException("a prompt without tokens cannot be written on from; give some text");
        if (prompts.Count == 0 || options.MaxNewTokens == 0) return [.. prompts.Select(_ => Array.Empty<int>())];
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var random = options.DoSample ? Seeds.Generator(options.Seed, "sampling") : null;
        using var cache = new KvCache(model, prompts.Max(prompt => prompt.Length) + options.MaxNewTokens);

        var tokens = prompts.Select(prompt => new List<int>(prompt)).ToArray();
        var active = Enumerable.Range(0, prompts.Count).ToList();   // rows in the cache, in its order
        var next = Choose(First(model, cache, prompts));
        while (true)
        {
            var kept = new List<int>();
            for (var i = 0; i < active.Count; i++)
            {
                var row = active[i];
                tokens[row].Add(next[i]);
                onToken?.Invoke(row, next[i]);
                var added = tokens[row].Count - prompts[row].Length;
                var ended = added == options.MaxNewTokens || options.EndTokens.Contains(next[i]) || options.Stop?.Invoke(tokens[row]) is true;
                if (!ended) kept.Add(i);
            }
            if (kept.Count == 0 || cancel.IsCancellationRequested) break;
            cache.Select(kept);
            active = [.. kept.Select(i => active[i])];
            next = Choose(Next(model, cache, [.. kept.Select(i => next[i])]));
        }
        return [.. tokens.Select((row, i) => row[prompts[i].Length..].ToArray())];

        int[] Choose(Tensor hidden)
        {
            using var stepScope = NewDisposeScope();
            using var owned = hidden;
            var logits = model.Logits(hidden, new Pass(NoAttention.Instance)).to(ScalarType.Float32);
            var scores = Scores.Process(logits, options, [.. active.Select(row => tokens[row])], tokens[active[0]].Count - prompts[active[0]].Length);
            onScores?.Invoke(active, logits, scores);
            var chosen = random is null ? scores.argmax(-1) : multinomial(scores.softmax(-1).cpu(), 1, replacement: false, random).squeeze(1);
            return [.. chosen.cpu().data<long>().Select(id => (int)id)];
        }
    }

    /// <summary>Fills the cache with the prompts; the last token's hidden state of each, (B, D).</summary>
    internal static Tensor First(Decoder model, KvCache cache, IReadOnlyList<int[]> prompts)
    {
        using var scope = NewDisposeScope();
        using var context = cache.Prefill([.. prompts.Select(prompt => prompt.Length)]);
        var ids = tensor(prompts.SelectMany(prompt => prompt).Select(id => (long)id).ToArray(), ScalarType.Int64, model.Device);
        var hidden = model.Forward(ids, new Pass(context));
        long end = -1;
        var last = prompts.Select(prompt => end += prompt.Length).ToArray();
        return hidden.index_select(0, tensor(last, ScalarType.Int64, model.Device)).MoveToOuterDisposeScope();
    }

    /// <summary>One more token a row; its hidden state, (B, D).</summary>
    internal static Tensor Next(Decoder model, KvCache cache, int[] last)
    {
        using var scope = NewDisposeScope();
        using var context = cache.Step();
        return model.Forward(tensor(last, ScalarType.Int64, model.Device), new Pass(context)).MoveToOuterDisposeScope();
    }

    /// <summary>The head has no attention.</summary>
    internal sealed class NoAttention : AttentionContext
    {
        public static NoAttention Instance { get; } = new();

        public override Tensor Attend(Tensor queries, Tensor keys, Tensor values, Attention attention) => throw new InvalidOperationException("the head does not attend");
    }
}
