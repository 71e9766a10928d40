using LlmTune.Data;
using LlmTune.Recipes;
using LlmTune.Training;

namespace LlmTune.Tests.Recipes;

public class StepTallyTests
{
    private static readonly TokenBatch Batch = TokenBatch.Of([new Document([1, 2, 3], [false, true, true])]);

    private static StepBatches Step => new() { Micro = [Batch], Epoch = 0, Progress = 0, Supervised = 2, Tokens = 3, Shares = [new(1, 2), new(0, 1)], Answers = 0, Pairs = 0 };

    private static StepResult Result(double loss, double norm, int targets) => new(loss, norm, 3, targets) { Sources = [(loss * (targets - 1), targets - 1), (loss, 1)] };

    /// <summary>
    /// Steps of loss 2 over 4 tokens and 5 over 2: (8 + 10) ÷ 6 = 3. What is skipped in between, by its loss or by its gradients, counts its
    /// tokens and leaves loss, norm and shares as they are.
    /// </summary>
    [Theory]
    [InlineData]
    [InlineData(double.NaN, 1.0)]
    [InlineData(double.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(1.0, double.NaN, double.NaN, double.NaN, 7.0, double.PositiveInfinity)]
    public void A_window_is_of_what_was_applied(params double[] skipped)
    {
        var shares = new RealisedShares(["a", "b"]);
        var tally = new StepTally(shares);
        tally.Add(Step, Result(2, 0.5, 4));
        foreach (var pair in skipped.Chunk(2)) tally.Add(Step, Result(pair[0], pair[1], 3));
        var count = skipped.Length / 2;
        Assert.Equal((count, count), (tally.Skipped, tally.SkippedInARow));
        tally.Add(Step, Result(5, 0.25, 2));
        var window = tally.Take();
        Assert.Equal((3, 0.25, 6 + (3L * count), count), (window.Loss, window.GradientNorm, window.Tokens, window.Skipped));
        Assert.Equal([("a", ((2 * 3) + 5) / 4.0), ("b", (2 + 5) / 2.0)], window.SourceLosses);
        Assert.Equal((count, 0, window.Tokens), (tally.Skipped, tally.SkippedInARow, tally.Tokens));
        Assert.Equal("""{"a":{"examples":2,"tokens":4},"b":{"examples":0,"tokens":2}}""", shares.ToJson().ToJsonString());
    }

    [Fact]
    public void A_window_of_nothing_but_skipped_steps_has_no_loss()
    {
        var tally = new StepTally(new RealisedShares(["a", "b"]));
        tally.Add(Step, Result(double.NaN, 1, 3));
        Assert.Null(tally.Sound);
        var window = tally.Take();
        Assert.Equal((null, null, 3, 1), (window.Loss, window.GradientNorm, window.Tokens, window.Skipped));
        Assert.Empty(window.SourceLosses);
        tally.Add(Step, Result(4, 1, 3));
        Assert.Equal((4, 0), (tally.Take().Loss!.Value, tally.Take().Skipped));
        Assert.Same(Batch, tally.Sound);

        var line = new StepMetrics
        {
            Step = 1,
            TotalSteps = 2,
            Epoch = 0.5,
            Loss = window.Loss,
            GradientNorm = window.GradientNorm,
            LearningRate = 0.1,
            Tokens = 3,
            TokensPerSecond = 10,
            Skipped = 1,
        };
        Assert.Equal(
            """{"step":1,"epoch":0.5,"loss":null,"learning_rate":0.1,"grad_norm":null,"num_tokens":3,"tokens_per_second":10,"skipped_steps":1}""", line.ToJson().ToJsonString());
    }
}
