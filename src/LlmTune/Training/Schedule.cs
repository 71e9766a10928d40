using System.Diagnostics;

namespace LlmTune.Training;

/// <summary>
/// Learning-rate schedules as factors of the base rate, by transformers' names and formulas (optimization.py). Steps are counted from
/// 0: the first update uses the factor of step 0.
/// </summary>
/// <param name="Type">Its shape.</param>
/// <param name="Settings">What the shape can be told.</param>
/// <param name="Rate">The base rate, which some settings are given beside.</param>
/// <param name="Warmup">Steps that rise to it.</param>
/// <param name="Total">Steps of the run.</param>
public sealed record Schedule(LrSchedulerType Type, SchedulerSettings Settings, double Rate, int Warmup, int Total)
{
    private const double Half = 0.5;   // of a cosine: one fall from 1 to 0

    /// <summary>What the base rate is multiplied by in a step.</summary>
    public double Factor(int step) => Type switch
    {
        LrSchedulerType.Constant => 1,
        _ when step < Warmup => Rise(step),
        LrSchedulerType.ConstantWithWarmup => 1,
        LrSchedulerType.Linear => Math.Max(0, (double)(Total - step) / Math.Max(1, Total - Warmup)),
        LrSchedulerType.Cosine => Cosine(Progress(step)),
        LrSchedulerType.CosineWithRestarts => Restarted(Progress(step)),
        LrSchedulerType.Polynomial => Polynomial(step),
        LrSchedulerType.InverseSqrt => InverseRoot(step),
        LrSchedulerType.CosineWithMinLr => AboveFloor(Cosine(Progress(step))),
        LrSchedulerType.CosineWarmupWithMinLr => AboveFloor(Cosine(Progress(step + 1))),
        LrSchedulerType.WarmupStableDecay => StableDecay(step - Warmup),
        _ => throw new UnreachableException($"{Type}"),
    };

    /// <summary>The learning rate of a step.</summary>
    public double At(int step) => Rate * Factor(step);

    /// <summary>Share of the way from the end of the warm-up to the end of the run; beyond it more than 1.</summary>
    private double Progress(int step) => (double)(step - Warmup) / Math.Max(1, Total - Warmup);

    private double Rise(int step) => Type switch
    {
        LrSchedulerType.CosineWarmupWithMinLr when Settings.WarmupLrRate is { } start => start + (1 - start) * step / Math.Max(1, Warmup - 1),
        LrSchedulerType.CosineWarmupWithMinLr => (double)(step + 1) / Math.Max(1, Warmup),
        LrSchedulerType.WarmupStableDecay => AboveFloor(Risen(Settings.WarmupType ?? DecayType.Linear, (double)step / Math.Max(1, Warmup))),
        _ => (double)step / Math.Max(1, Warmup),
    };

    /// <summary>½ (1 + cos(π · 2 · cycles · progress)) (arXiv:1608.03983 eq. 5). Past the end it rises again.</summary>
    private double Cosine(double progress) => Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * (Settings.NumCycles ?? Half) * 2 * progress)));

    /// <summary>Falls from 1 to 0 as many times as there are cycles.</summary>
    private double Restarted(double progress) => progress >= 1 ? 0 : Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * ((Settings.NumCycles ?? 1) * progress % 1))));

    /// <summary>(1 − progress)^power between the base rate and lr_end.</summary>
    private double Polynomial(int step)
    {
        var end = (Settings.LrEnd ?? SchedulerSettings.DefaultLrEnd) / Rate;
        return step >= Total ? end : (1 - end) * Math.Pow(1 - Progress(step), Settings.Power ?? 1) + end;
    }

    /// <summary>√(t₀ / t), where t counts so that the warm-up ends at t₀.</summary>
    private double InverseRoot(int step)
    {
        double scale = Settings.Timescale ?? (Warmup > 0 ? Warmup : 10_000);
        return 1 / Math.Sqrt((step - Warmup + scale) / scale);
    }

    /// <summary>At the base rate, then a decay to the floor, then the floor (arXiv:2404.06395 §4).</summary>
    /// <param name="step">From the end of the warm-up.</param>
    private double StableDecay(int step)
    {
        var decay = Settings.NumDecaySteps!.Value;
        var stable = Settings.NumStableSteps ?? Total - Warmup - decay;
        if (step < stable) return 1;
        var progress = (double)(step - stable) / Math.Max(1, decay);
        return step >= stable + decay ? Floor : AboveFloor(Fallen(Settings.DecayType ?? DecayType.Cosine, progress));
    }

    private static double Risen(DecayType type, double progress) => type switch
    {
        DecayType.Linear => progress,
        DecayType.Cosine => 0.5 * (1 - Math.Cos(Math.PI * progress)),
        _ => 1 - Math.Sqrt(1 - progress),
    };

    private double Fallen(DecayType type, double progress) => type switch
    {
        DecayType.Linear => 1 - progress,
        DecayType.Cosine => Cosine(progress),
        _ => 1 - Math.Sqrt(progress),
    };

    private double Floor => Settings.MinLrRatio ?? Settings.MinLrRate ?? (Settings.MinLr is { } rate ? rate / Rate : 0);

    private double AboveFloor(double factor) => Math.Max(0, factor * (1 - Floor) + Floor);
}
