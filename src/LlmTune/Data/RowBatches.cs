namespace LlmTune.Data;

/// <summary>What is taken of a source: documents (those whose beginning is) and tokens.</summary>
public readonly record struct SourceShare(long Documents, long Tokens)
{
    public static SourceShare operator +(SourceShare a, SourceShare b) => new(a.Documents + b.Documents, a.Tokens + b.Tokens);
}

/// <summary>Rows of a plan as batches of tokens.</summary>
public static class RowBatches
{
    /// <summary>The rows from <paramref name="first"/> to before <paramref name="end"/> in one batch.</summary>
    public static TokenBatch Of(Corpus corpus, EpochPlan plan, int first, int end)
    {
        List<Document> documents = [];
        for (var row = first; row < end; row++)
        {
            if (plan.Joined)
                documents.Add(Joined(corpus, plan.Row(row)));
            else
                foreach (var slice in plan.Row(row)) documents.AddRange(corpus.Sequences(slice));
        }
        return TokenBatch.Of(documents);
    }

    /// <summary>All rows of a plan in order, so many a batch: what evaluation goes through.</summary>
    public static IEnumerable<TokenBatch> All(Corpus corpus, EpochPlan plan, int rows)
    {
        for (var first = 0; first < plan.Rows; first += rows)
            yield return Of(corpus, plan, first, Math.Min(first + rows, plan.Rows));
    }

    /// <summary>Tokens of rows that are trained on, and all; judged answers, and pairs of a better and a worse one.</summary>
    internal static (int Supervised, int Tokens, int Answers, int Pairs) Count(Corpus corpus, EpochPlan plan, int first, int end)
    {
        var (supervised, tokens, answers, pairs) = (0, 0, 0, 0);
        for (var row = first; row < end; row++)
        {
            foreach (var slice in plan.Row(row))
            {
                tokens += slice.Length;
                if (!plan.Joined) supervised += corpus.TrainedCount(slice.Document);
                var several = corpus.AnswerCount(slice.Document);
                answers += several;
                pairs += several * (several - 1) / 2;
            }
            if (plan.Joined) supervised += Joined(corpus, plan.Row(row)).TrainedCount;
        }
        return (supervised, tokens, answers, pairs);
    }

    /// <summary>What rows take of each source.</summary>
    internal static SourceShare[] Shares(Corpus corpus, EpochPlan plan, int first, int end)
    {
        var shares = new SourceShare[corpus.Training.Count];
        for (var row = first; row < end; row++)
        {
            foreach (var slice in plan.Row(row)) shares[corpus.SourceOf(slice.Document)] += new SourceShare(slice.Start == 0 ? 1 : 0, slice.Length);
        }
        return shares;
    }

    /// <summary>The slices of a row as one stream: attention and prediction run across their borders.</summary>
    private static Document Joined(Corpus corpus, ReadOnlySpan<Slice> slices)
    {
        List<int> ids = [];
        List<bool> trained = [];
        List<int> sources = [];
        List<float>? weights = null;
        Document? first = null;
        foreach (var slice in slices)
        {
            var document = corpus.Read(slice);
            first ??= document;
            if (document.Weights is not null) weights ??= [.. Enumerable.Repeat(1f, ids.Count)];
            weights?.AddRange(document.Weights ?? Enumerable.Repeat(1f, document.Length));
            ids.AddRange(document.Ids);
            trained.AddRange(document.Trained);
            sources.AddRange(Enumerable.Repeat(document.Source, document.Length));
        }
        return new Document([.. ids], [.. trained], first!.Key, first.Source) { TokenSources = [.. sources], Weights = weights?.ToArray() };
    }
}
