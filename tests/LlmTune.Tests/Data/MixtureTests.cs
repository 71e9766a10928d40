using LlmTune.Data;

namespace LlmTune.Tests.Data;

public class MixtureTests
{
    private static MixtureSource Source(int from, int count, double weight = 1, int? repeats = null) =>
        new([.. Enumerable.Range(from, count)], weight, repeats);

    [Fact]
    public void Once_takes_each_document_once_in_another_order_each_epoch()
    {
        MixtureSource[] sources = [Source(0, 30, 5), Source(30, 70)];
        var first = Mixture.Draw(sources, MixingMode.Once, shuffle: true, seed: 7, epoch: 0);
        var second = Mixture.Draw(sources, MixingMode.Once, shuffle: true, seed: 7, epoch: 1);
        Assert.Equal(Enumerable.Range(0, 100), first.Order());
        Assert.Equal(Enumerable.Range(0, 100), second.Order());
        Assert.NotEqual(first, second);
        Assert.Equal(first, Mixture.Draw(sources, MixingMode.Once, shuffle: true, seed: 7, epoch: 0));
        Assert.NotEqual(first, Mixture.Draw(sources, MixingMode.Once, shuffle: true, seed: 8, epoch: 0));
        Assert.Equal(Enumerable.Range(0, 100), Mixture.Draw(sources, MixingMode.Once, shuffle: false, seed: 7, epoch: 0));
    }

    /// <summary>The standard deviation of a share p over n draws is √(p(1−p)/n); five of them are never exceeded by chance.</summary>
    [Theory]
    [InlineData(3, 1, 0.75)]
    [InlineData(1, 1, 0.5)]
    [InlineData(0.1, 0.9, 0.1)]
    public void Shares_converge_to_the_weights(double a, double b, double share)
    {
        var order = Mixture.Draw([Source(0, 20_000, a), Source(20_000, 20_000, b)], MixingMode.AllExhausted, shuffle: true, seed: 3, epoch: 0);
        foreach (var n in (int[])[1_000, 10_000, order.Length])
        {
            var got = order.Take(n).Count(d => d < 20_000) / (double)n;
            Assert.True(Math.Abs(got - share) < 5 * Math.Sqrt(share * (1 - share) / n), $"share {got} of {n} draws, expected {share}");
        }
    }

    [Fact]
    public void First_exhausted_ends_with_the_last_document_of_some_source_and_repeats_nothing()
    {
        var order = Mixture.Draw([Source(0, 50), Source(50, 1000)], MixingMode.FirstExhausted, shuffle: true, seed: 1, epoch: 0);
        Assert.Equal(order.Length, order.Distinct().Count());
        Assert.Equal(50, order.Count(d => d < 50));
        Assert.True(order[^1] < 50);
    }

    [Fact]
    public void All_exhausted_goes_on_until_each_document_was_there_and_repeats_the_smaller_source_evenly()
    {
        var order = Mixture.Draw([Source(0, 50), Source(50, 1000)], MixingMode.AllExhausted, shuffle: true, seed: 1, epoch: 0);
        Assert.Equal(Enumerable.Range(0, 1050), order.Distinct().Order());
        Assert.Equal(1000, order.Count(d => d >= 50));
        Assert.True(order[^1] >= 50);
        var repeats = order.Where(d => d < 50).CountBy(d => d).Select(c => c.Value).ToList();
        Assert.True(repeats.Max() - repeats.Min() <= 1, "a pass begins only when the one before is over");
    }

    [Fact]
    public void Max_repeats_bounds_the_passes()
    {
        var order = Mixture.Draw([Source(0, 10, 1, repeats: 3), Source(10, 1000)], MixingMode.AllExhausted, shuffle: true, seed: 1, epoch: 0);
        Assert.Equal(30, order.Count(d => d < 10));
        Assert.Equal(1000, order.Count(d => d >= 10));
    }

    [Fact]
    public void A_position_is_enough_to_know_the_source_of_a_draw()
    {
        double[] weights = [2, 1, 1];
        var order = Mixture.Draw([Source(0, 4000, 2), Source(4000, 4000), Source(8000, 4000)], MixingMode.FirstExhausted, shuffle: true, seed: 9, epoch: 4);
        for (var position = 0; position < order.Length; position++)
            Assert.Equal(order[position] / 4000, Mixture.SourceAt(weights, 9, 4, position));
    }

    [Fact]
    public void Weights_per_token_draw_long_documents_less_often()
    {
        Assert.Equal(1.0 / 300, Mixture.PerDocument(1, 300));
        double[] weights = [Mixture.PerDocument(1, 100), Mixture.PerDocument(1, 300)];
        var drawn = Enumerable.Range(0, 20_000).CountBy(p => Mixture.SourceAt(weights, 1, 0, p)).ToDictionary();
        var tokens = (Short: drawn[0] * 100.0, Long: drawn[1] * 300.0);
        Assert.InRange(tokens.Short / (tokens.Short + tokens.Long), 0.48, 0.52);
    }

    [Fact]
    public void Weights_that_never_end_are_refused()
    {
        var e = Assert.Throws<RequestException>(() => Mixture.Draw([Source(0, 1000, 1e-9), Source(1000, 10)], MixingMode.AllExhausted, true, 1, 0));
        Assert.Contains("an epoch would take 1,000,000,001,000 rows", e.Message, StringComparison.Ordinal);
    }
}
