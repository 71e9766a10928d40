namespace LlmTune.Data;

/// <summary>Judged answers as the sequences of a batch.</summary>
public static class JudgedDocuments
{
    /// <summary>A prompt with each of its answers, the best first.</summary>
    /// <param name="key">Identity of the example in the run; every sequence gets one of its own.</param>
    public static IEnumerable<Document> Of(Tokens tokens, ulong key = 0, int source = 0)
    {
        var (prompt, from) = (tokens.Prompt, tokens.Prompt);
        for (var rank = 0; rank < tokens.Answers.Count; from += tokens.Answers[rank++])
        {
            int[] ids = [.. tokens.Ids.AsSpan(0, prompt), .. tokens.Ids.AsSpan(from, tokens.Answers[rank])];
            var trained = new bool[ids.Length];
            trained.AsSpan(prompt).Fill(true);
            var answer = new JudgedAnswer(rank, prompt, tokens.Desirable);
            yield return new Document(ids, trained, SplitMix64.Hash(key, (ulong)rank), source) { Answer = answer };
        }
    }

    /// <summary>
    /// Every prompt with the answer to another, which KTO compares the policy on with the reference: of each block of documents the i-th
    /// prompt gets the answer of the one before, the first that of the last. A block of one keeps its own.
    /// </summary>
    /// <param name="block">Documents of a block; the last may have fewer.</param>
    /// <param name="limit">Longer sequences lose their end.</param>
    public static IEnumerable<Document> Mismatched(IReadOnlyList<Document> documents, int block, int limit = int.MaxValue)
    {
        for (var i = 0; i < documents.Count; i++)
        {
            var first = i - (i % block);
            var other = documents[i > first ? i - 1 : Math.Min(first + block, documents.Count) - 1];
            var (prompt, answered) = (PromptOf(documents[i]), PromptOf(other));
            int[] ids = [.. documents[i].Ids.AsSpan(0, prompt), .. other.Ids.AsSpan(answered)];
            if (ids.Length > limit) ids = ids[..limit];
            var trained = new bool[ids.Length];
            trained.AsSpan(Math.Min(prompt, limit)).Fill(true);
            yield return documents[i] with { Ids = ids, Trained = trained };
        }
    }

    private static int PromptOf(Document document) =>
        document.Answer is { } answer ? answer.Prompt : throw new ArgumentException("a document that answers no prompt");
}
