using LlmTune.Config;
using LlmTune.Training;

namespace LlmTune.Tests.Training;

public class ScheduleTests
{
    private static IEnumerable<double> Factors(LrSchedulerType type, int warmup, params int[] steps) =>
        steps.Select(step => Math.Round(new Schedule(type, new SchedulerSettings(), 1, warmup, Total: 10).Factor(step), 12));

    /// <summary>Ten steps, two of warm-up: 0, ½, then 1 − progress in eighths, or ½ (1 + cos(π · progress)).</summary>
    [Fact]
    public void Factors_worked_by_hand()
    {
        Assert.Equal([0, 0.5, 1, 0.875, 0.125, 0], Factors(LrSchedulerType.Linear, 2, 0, 1, 2, 3, 9, 10));
        Assert.Equal([0, 0.5, 1, 0.5, 0], Factors(LrSchedulerType.Cosine, 2, 0, 1, 2, 6, 10));
        Assert.Equal([0, 0.5, 1, 1], Factors(LrSchedulerType.ConstantWithWarmup, 2, 0, 1, 2, 9));
        Assert.Equal([1], Factors(LrSchedulerType.Linear, 0, 0));
        Assert.Equal([1], Factors(LrSchedulerType.Constant, 0, 7));
        Assert.Equal([1, Math.Round(Math.Sqrt(0.5), 12), 0.5], Factors(LrSchedulerType.InverseSqrt, 2, 2, 4, 8));
    }

    /// <summary>Three steps of warm-up, two of fall at the end of ten: five at the full rate.</summary>
    [Fact]
    public void A_stable_phase_takes_what_warm_up_and_decay_leave()
    {
        var schedule = new Schedule(LrSchedulerType.WarmupStableDecay, new SchedulerSettings { NumDecaySteps = 2, DecayType = DecayType.Linear, MinLrRatio = 0.2 }, 1, 3, 10);
        Assert.Equal([0.2, 1, 1, 1, 0.6, 0.2, 0.2], new[] { 0, 3, 7, 8, 9, 10, 12 }.Select(step => Math.Round(schedule.Factor(step), 12)));
    }

    [Theory]
    [InlineData("lr_scheduler_type: linear\nlr_scheduler_kwargs: { num_cycles: 2 }", "lr_scheduler_kwargs.num_cycles has no effect with lr_scheduler_type: linear; it has no such settings")]
    [InlineData("lr_scheduler_type: polynomial\nlr_scheduler_kwargs: { min_lr: 0 }", "lr_scheduler_kwargs.min_lr has no effect with lr_scheduler_type: polynomial; that one knows power, lr_end")]
    [InlineData("lr_scheduler_type: linear\nlr_scheduler_kwargs: { warmup_type: linear }", "lr_scheduler_kwargs.warmup_type has no effect with lr_scheduler_type: linear; it has no such settings")]
    [InlineData("lr_scheduler_type: cosine\nlr_scheduler_kwargs: { decay_type: cosine }", "lr_scheduler_kwargs.decay_type has no effect with lr_scheduler_type: cosine; that one knows num_cycles")]
    [InlineData("lr_scheduler_type: inverse_sqrt\nlr_scheduler_kwargs: { timescale: 0 }", "lr_scheduler_kwargs.timescale must be more than 0, got 0")]
    [InlineData("lr_scheduler_type: cosine_with_min_lr", "lr_scheduler_kwargs needs min_lr or min_lr_rate with lr_scheduler_type: cosine_with_min_lr")]
    [InlineData("lr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: { min_lr: 0, min_lr_rate: 0.1 }", "lr_scheduler_kwargs.min_lr_rate cannot stand beside min_lr; keep one of them")]
    [InlineData("lr_scheduler_type: warmup_stable_decay", "lr_scheduler_kwargs needs num_decay_steps with lr_scheduler_type: warmup_stable_decay")]
    [InlineData("lr_scheduler_type: warmup_stable_decay\nlr_scheduler_kwargs: { num_decay_steps: 2, decay_type: sqrt }", "lr_scheduler_kwargs.decay_type must be linear, cosine or 1-sqrt, got 'sqrt'")]
    public void Settings_that_make_no_sense_are_refused(string yaml, string message)
    {
        var problem = Assert.Single(Assert.Throws<ConfigException>(() => ConfigFile.Parse<TrainingConfig>($"output_dir: out\n{yaml}\n", "run.yaml")).Problems);
        Assert.StartsWith(message, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_end_above_the_rate_is_refused()
    {
        var settings = new SchedulerSettings { LrEnd = 1, MinLr = 2 };
        Assert.Equal(
            [("lr_end", "must be smaller than learning_rate (0.0005), it is 1"), ("min_lr", "must not be more than learning_rate (0.0005), it is 2")],
            settings.Problems(LrSchedulerType.Polynomial, 5e-4));
    }

    [Theory]
    [InlineData(4, 4, false)]
    [InlineData(1, 1, false)]
    [InlineData(3, 4, true)]
    [InlineData(5, 4, true)]
    public void A_polynomial_needs_a_step_behind_the_warm_up(int warmup, int total, bool taken)
    {
        var config = ConfigFile.Parse<TrainingConfig>($"output_dir: out\nlearning_rate: 1e-3\nlr_scheduler_type: polynomial\nwarmup_steps: {warmup}\n", "run.yaml");
        if (taken) Assert.Equal(warmup, config.ScheduleOf(total).Warmup);
        else Assert.Equal(
            $"the warm-up takes all {total} steps, so that lr_scheduler_type: polynomial has none to fall in; give fewer warmup_steps",
            Assert.Throws<RequestException>(() => config.ScheduleOf(total)).Message);
    }

    /// <summary>Values at the ends of what transformers takes, and its rates.</summary>
    [Fact]
    public void Settings_may_be_at_the_ends_of_their_ranges()
    {
        double At(LrSchedulerType type, SchedulerSettings settings, int step) => Math.Round(new Schedule(type, settings, 1, 0, 10).Factor(step), 12);
        Assert.Equal(1, At(LrSchedulerType.Cosine, new SchedulerSettings { NumCycles = 0 }, 7));
        Assert.Equal(1, At(LrSchedulerType.CosineWithMinLr, new SchedulerSettings { MinLrRate = 1 }, 7));
        Assert.Equal(1, At(LrSchedulerType.Polynomial, new SchedulerSettings { Power = 0 }, 7));
        Assert.Equal(0, At(LrSchedulerType.WarmupStableDecay, new SchedulerSettings { NumDecaySteps = 0 }, 10));
        Assert.Equal(0.5, At(LrSchedulerType.InverseSqrt, new SchedulerSettings { Timescale = 2.5 }, 7) * Math.Sqrt(9.5 / 2.5) / 2, 1e-9);
    }
}
