using LlmTune.Data;
using LlmTune.Evaluation;

namespace LlmTune.Tests.Evaluation;

public class HeldOutTests
{
    /// <summary>
    /// Two documents with Σ 2 over 1 token and Σ 4 over 3 tokens: loss 6/4 = 1.5 (not the mean of 2 and 4/3). Residuals 2 − 1.5 = 0.5 and
    /// 4 − 4.5 = −0.5, squares 0.5 in all, times n/(n − 1) = 2 gives 1, its root over 4 tokens: 0.25.
    /// </summary>
    [Fact]
    public void Loss_is_weighted_by_tokens_and_its_error_by_documents()
    {
        var statistics = LossStatistics.Of([(2, 1), (4, 3)]);
        Assert.Equal(1.5, statistics.Loss);
        Assert.Equal(0.25, statistics.StandardError, 12);
        Assert.Equal(Math.Exp(1.5), statistics.Perplexity, 12);
        Assert.Equal(Math.Exp(1.5) * 0.25, statistics.PerplexityStandardError, 12);
        Assert.Equal((4, 2), (statistics.Tokens, statistics.Documents));
        Assert.True(double.IsNaN(LossStatistics.Of([(2, 1)]).StandardError));
        Assert.True(double.IsNaN(LossStatistics.Of([]).Loss));
    }

    [Fact]
    public void How_documents_are_batched_changes_nothing_and_sources_add_up()
    {
        using var model = TinyModels.Make("qwen3");
        var random = new Random(4);
        var documents = Enumerable.Range(0, 9).Select(n => new Document(
            [.. Enumerable.Range(0, 3 + n).Select(_ => random.Next(TinyModels.Vocabulary))],
            [.. Enumerable.Range(0, 3 + n).Select(t => n != 4 && t > n % 3)], Source: n % 2)).ToArray();
        var (alone, _) = HeldOut.Loss(model, documents.Select(d => TokenBatch.Of([d])));
        var (together, bySource) = HeldOut.Loss(model, [TokenBatch.Of(documents)]);
        Close.Assert(alone.Loss, together.Loss, "loss", 1e-6);
        Close.Assert(alone.StandardError, together.StandardError, "error", 1e-5);
        Assert.Equal(8, together.Documents);   // one has nothing to predict
        Assert.Equal(together.Tokens, bySource.Values.Sum(s => s.Tokens));
        Close.Assert(together.Loss * together.Tokens, bySource.Values.Sum(s => s.Loss * s.Tokens), "sum", 1e-12);
    }

    /// <summary>A row cut from a stream holds tokens of several sources: each is booked where it comes from, as if every token were a document of its own.</summary>
    [Fact]
    public void A_token_of_a_stream_counts_for_its_own_source()
    {
        using var model = TinyModels.Make("llama");
        var random = new Random(9);
        Document Row(int length, int key) => new(
            [.. Enumerable.Range(0, length).Select(_ => random.Next(TinyModels.Vocabulary))], [.. Enumerable.Range(0, length).Select(t => t % 4 != 2)], (ulong)key, Source: 2)
        {
            TokenSources = [.. Enumerable.Range(0, length).Select(t => t < 5 ? 2 : t < 8 ? 0 : 1)],
        };
        Document[] rows = [Row(12, 1), Row(7, 2), Row(9, 3)];
        var (all, bySource) = HeldOut.Loss(model, [TokenBatch.Of(rows)]);
        var sums = new (double Loss, int Tokens)[3];
        foreach (var row in rows)
        {
            for (var t = 1; t < row.Length; t++)
            {
                if (!row.Trained[t]) continue;
                var one = HeldOut.Loss(model, [TokenBatch.Of([row with { Trained = [.. Enumerable.Range(0, row.Length).Select(i => i == t)] }])]).All.Loss;
                ref var sum = ref sums[row.TokenSources![t]];
                sum = (sum.Loss + one, sum.Tokens + 1);
            }
        }
        Assert.Equal([0, 1, 2], bySource.Keys.Order());
        for (var source = 0; source < 3; source++)
        {
            Assert.Equal(sums[source].Tokens, bySource[source].Tokens);
            Close.Assert(sums[source].Loss / sums[source].Tokens, bySource[source].Loss, $"loss of source {source}");
        }
        Close.Assert(sums.Sum(s => s.Loss) / sums.Sum(s => s.Tokens), all.Loss, "loss of all");
        Assert.Equal((3, 3, 2), (all.Documents, bySource[0].Documents, bySource[1].Documents));
    }

    [Fact]
    public void A_reference_is_the_last_trained_stretch_and_running_text_has_none()
    {
        var chat = new Document([1, 2, 3, 4, 5, 6], [false, false, true, false, true, true]);
        var (prompt, reference) = ExactMatch.Split(chat)!.Value;
        Assert.Equal([1, 2, 3, 4], prompt);
        Assert.Equal([5, 6], reference);
        Assert.Null(ExactMatch.Split(new Document([1, 2, 3], [true, true, true])));
        Assert.Null(ExactMatch.Split(new Document([1, 2, 3], [false, true, true])));   // only a BOS before it
        Assert.Null(ExactMatch.Split(new Document([1, 2, 3], [false, false, false])));
    }

    [Fact]
    public void White_space_at_the_ends_does_not_make_an_answer_wrong()
    {
        Assert.True(new Answer("", "a b", " a b\n").IsExact);
        Assert.False(new Answer("", "a b", "a  b").IsExact);
    }
}
