using System.Diagnostics;

namespace LlmTune.Training;

/// <summary>
/// Learning-rate schedules as factors of the base rate, by transformers' names and formulas (optimization.py). Step counts
/// optimizer steps from 0: the first update uses <c>factor(0)</c>.
/// </summary>
public static class Schedule
{
    /// <summary>The factor of a schedule by its name in run files.</summary>
    public static double Factor(LrSchedulerType type, int step, int warmup, int total) => type switch
    {
        LrSchedulerType.Constant => Constant(step),
        LrSchedulerType.ConstantWithWarmup => ConstantWithWarmup(step, warmup),
        LrSchedulerType.Linear => Linear(step, warmup, total),
        LrSchedulerType.Cosine => Cosine(step, warmup, total),
        _ => throw new UnreachableException($"{type}"),
    };

    /// <summary>Always the base rate.</summary>
    public static double Constant(int step) => 1;

    /// <summary>step/warmup, then the base rate.</summary>
    public static double ConstantWithWarmup(int step, int warmup) => step < warmup ? Rise(step, warmup) : 1;

    /// <summary>Rises to the base rate, then falls in a line to 0 at <paramref name="total"/>.</summary>
    public static double Linear(int step, int warmup, int total) =>
        step < warmup ? Rise(step, warmup) : Math.Max(0, (double)(total - step) / Math.Max(1, total - warmup));

    /// <summary>Rises, then falls along half a cosine (arXiv:1608.03983 eq. 5): ½ (1 + cos(π · 2 · cycles · progress)).</summary>
    /// <param name="cycles">½: one fall from 1 to 0.</param>
    public static double Cosine(int step, int warmup, int total, double cycles = 0.5)
    {
        if (step < warmup) return Rise(step, warmup);
        var progress = (double)(step - warmup) / Math.Max(1, total - warmup);
        return Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * cycles * 2 * progress)));
    }

    private static double Rise(int step, int warmup) => (double)step / Math.Max(1, warmup);
}
