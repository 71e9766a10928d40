namespace LlmTune.Data;

/// <summary>
/// The documents of one micro-batch laid end to end, without padding: T tokens, N documents, S supervised positions.
/// Labels are aligned to the positions that predict them, so nothing downstream shifts.
/// </summary>
public sealed record TokenBatch
{
    /// <summary>(T) token ids.</summary>
    public required int[] Ids { get; init; }

    /// <summary>(T) positions, from 0 in each document.</summary>
    public required int[] Positions { get; init; }

    /// <summary>(N + 1) where documents begin, and T.</summary>
    public required int[] Bounds { get; init; }

    /// <summary>(S) positions in the batch whose next token is trained on, ascending.</summary>
    public required int[] Predicting { get; init; }

    /// <summary>(S) the token that each of them has to predict.</summary>
    public required int[] Targets { get; init; }

    /// <summary>(N) identities of the documents.</summary>
    public required ulong[] Keys { get; init; }

    /// <summary>(N) source of each document.</summary>
    public required int[] Sources { get; init; }

    /// <summary>(S) source of each token that is trained on; needed only where the loss of each source is asked for.</summary>
    public int[] TargetSources { get; init; } = [];

    /// <summary>
    /// (N) what each document is among the answers to its prompt, which stand together, the best first; empty of examples to imitate.
    /// </summary>
    public IReadOnlyList<JudgedAnswer> Answers { get; init; } = [];

    /// <summary>(S) what the loss of each token that is trained on is multiplied by; empty where each counts once.</summary>
    public float[] Weights { get; init; } = [];

    public int Tokens => Ids.Length;

    public int Documents => Keys.Length;

    public int Supervised => Targets.Length;

    /// <summary>
    /// (N + 1) where the supervised positions of each document begin among all, and S: a sum over a document runs from one to the next.
    /// </summary>
    public int[] SupervisedBounds()
    {
        var bounds = new int[Documents + 1];
        for (var (d, s) = (0, 0); d < Documents; bounds[++d] = s)
        {
            while (s < Supervised && Predicting[s] < Bounds[d + 1]) s++;
        }
        return bounds;
    }

    /// <summary>
    /// Every two documents that answer the same prompt, the better one first: one pair of chosen and rejected, n (n − 1) / 2 of n ranked answers.
    /// </summary>
    public IEnumerable<(int Better, int Worse)> Pairs()
    {
        for (var worse = 1; worse < Answers.Count; worse++)
        {
            for (var better = worse - Answers[worse].Rank; better < worse; better++) yield return (better, worse);
        }
    }

    /// <summary>Lays documents end to end; empty ones are left out.</summary>
    public static TokenBatch Of(IEnumerable<Document> documents)
    {
        List<int> ids = [], positions = [], bounds = [0], predicting = [], targets = [], sources = [], targetSources = [];
        List<ulong> keys = [];
        List<JudgedAnswer> answers = [];
        List<float> weights = [];
        foreach (var document in documents)
        {
            if (document.Length == 0) continue;
            var start = ids.Count;
            ids.AddRange(document.Ids);
            positions.AddRange(Enumerable.Range(0, document.Length));
            for (var t = 1; t < document.Length; t++)
            {
                if (!document.Trained[t]) continue;
                predicting.Add(start + t - 1);
                if (document.Weights is not null && weights.Count == 0) weights.AddRange(Enumerable.Repeat(1f, targets.Count));
                if (document.Weights is not null || weights.Count > 0) weights.Add(document.Weights?[t] ?? 1);
                targets.Add(document.Ids[t]);
                targetSources.Add(document.TokenSources?[t] ?? document.Source);
            }
            bounds.Add(ids.Count);
            keys.Add(document.Key);
            sources.Add(document.Source);
            if (document.Answer is { } answer) answers.Add(answer);
        }
        return new TokenBatch
        {
            Ids = [.. ids],
            Positions = [.. positions],
            Bounds = [.. bounds],
            Predicting = [.. predicting],
            Targets = [.. targets],
            Keys = [.. keys],
            Sources = [.. sources],
            TargetSources = [.. targetSources],
            Answers = answers,
            Weights = [.. weights],
        };
    }
}
