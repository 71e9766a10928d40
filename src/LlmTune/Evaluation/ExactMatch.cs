using LlmTune.Data;
using LlmTune.Generation;
using LlmTune.Models;

namespace LlmTune.Evaluation;

/// <summary>One row's answer beside its reference.</summary>
public sealed record Answer(string Prompt, string Reference, string Generated)
{
    /// <summary>Equal but for white space at the ends.</summary>
    public bool IsExact => Reference.Trim() == Generated.Trim();
}

/// <summary>Greedy generations of rows that have a reference: what comes before the last trained stretch is the prompt, that stretch the reference.</summary>
public static class ExactMatch
{
    /// <summary>Prompt and reference of a document; null where everything is trained on (running text), so that there is no prompt.</summary>
    public static (int[] Prompt, int[] Reference)? Split(Document document)
    {
        var end = Array.LastIndexOf(document.Trained, true) + 1;
        if (end == 0) return null;
        var start = end;
        while (start > 0 && document.Trained[start - 1]) start--;
        return start <= 1 ? null : (document.Ids[..start], document.Ids[start..end]);
    }

    /// <param name="rows">Prompts and references.</param>
    /// <param name="batchSize">Rows at once; changes no result.</param>
    /// <param name="maxNewTokens">Bound for an answer that does not end; a longer reference raises it.</param>
    /// <param name="stops">Texts that end an answer as an end token does; answers and references are compared up to them.</param>
    public static IReadOnlyList<Answer> Generate(
        Decoder model, IReadOnlyList<(int[] Prompt, int[] Reference)> rows, int batchSize, int maxNewTokens, IReadOnlyList<int> endTokens,
        Func<int[], string> decode, IReadOnlyList<string> stops, Action? onBatch = null, CancellationToken cancel = default)
    {
        var answers = new List<Answer>();
        // Rows of like lengths together: the cache is as wide as the longest.
        var order = Enumerable.Range(0, rows.Count).OrderBy(i => rows[i].Prompt.Length).ToArray();
        var made = new string[rows.Count];
        foreach (var batch in order.Chunk(batchSize))
        {
            cancel.ThrowIfCancellationRequested();
            var options = new GenerationOptions
            {
                MaxNewTokens = Math.Max(maxNewTokens, batch.Max(i => rows[i].Reference.Length)),
                EndTokens = endTokens,
                Stop = StopStrings.Watch(stops, decode),
            };
            var tokens = TextGenerator.Generate(model, [.. batch.Select(i => rows[i].Prompt)], options, cancel: cancel);
            for (var b = 0; b < batch.Length; b++) made[batch[b]] = decode(tokens[b]);
            onBatch?.Invoke();
        }
        for (var i = 0; i < rows.Count; i++) answers.Add(new Answer(decode(rows[i].Prompt), Cut(decode(rows[i].Reference)), Cut(made[i])));
        return answers;

        string Cut(string text)
        {
            var ends = stops.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0);
            return text[..ends.DefaultIfEmpty(text.Length).Min()];
        }
    }
}
