using System.Globalization;
using LlmTune.Io;

namespace LlmTune.Cli.Terminal;

/// <summary>Where a training run stands after a step; what is not known is null and not shown.</summary>
public sealed record ProgressStep(int Step, int TotalSteps, double Loss)
{
    /// <summary>Of more sources the losses stand in metrics.jsonl only.</summary>
    private const int MostSources = 4;

    public double? Epoch { get; init; }
    public double? LearningRate { get; init; }
    public double? GradNorm { get; init; }

    /// <summary>The last held-out loss.</summary>
    public double? EvalLoss { get; init; }

    /// <summary>The loss of each source, where there are several.</summary>
    public IReadOnlyList<(string Label, double Loss)> SourceLosses { get; init; } = [];

    public double? TokensPerSecond { get; init; }

    /// <summary>Share of the device's arithmetic that is used, 0 to 1.</summary>
    public double? Mfu { get; init; }

    /// <summary>Bytes in use and bytes there are on the device.</summary>
    public (long Used, long Total)? Memory { get; init; }

    public TimeSpan? TimeLeft { get; init; }

    /// <summary><c>step 120/1000 | loss 1.2345 | lr 1.8e-4 | 41,203 tok/s | 38 % MFU | 11.2 GB | 4 m left</c></summary>
    public string Line
    {
        get
        {
            string[] parts = [$"step {Step}/{TotalSteps}", .. Numbers, .. Speed, Left];
            return string.Join(" | ", parts.Where(part => part.Length > 0));
        }
    }

    /// <summary>What the model does.</summary>
    internal IEnumerable<string> Numbers
    {
        get
        {
            yield return Say($"loss {Loss:F4}");
            if (EvalLoss is { } eval) yield return Say($"eval {eval:F4}");
            if (LearningRate is { } rate) yield return $"lr {Scientific(rate)}";
            if (GradNorm is { } norm) yield return Say($"grad {norm:G3}");
            foreach (var (label, loss) in SourceLosses.Take(MostSources)) yield return Say($"{label} {loss:F4}");
            if (SourceLosses.Count > MostSources) yield return $"{SourceLosses.Count - MostSources} more";
        }
    }

    /// <summary>What the machine does.</summary>
    internal IEnumerable<string> Speed
    {
        get
        {
            if (TokensPerSecond is { } speed) yield return Say($"{speed:N0} tok/s");
            if (Mfu is { } mfu) yield return Say($"{100 * mfu:F0} % MFU");
            if (Memory is var (used, total)) yield return total > 0 ? $"{(used >= 1_000_000_000 ? Say($"{used / 1e9:F1}") : Sizes.Text(used))} of {Sizes.Text(total)}" : Sizes.Text(used);
        }
    }

    internal string Left => TimeLeft is { } left ? $"{Duration(left)} left" : "";

    /// <summary><c>1.8e-4</c></summary>
    internal static string Scientific(double value)
    {
        if (value == 0) return "0";
        var exponent = (int)Math.Floor(Math.Log10(Math.Abs(value)));
        var mantissa = Math.Round(value / Math.Pow(10, exponent), 2);
        if (Math.Abs(mantissa) >= 10) (mantissa, exponent) = (mantissa / 10, exponent + 1);
        return Say($"{mantissa:0.##}e{exponent}");
    }

    /// <summary><c>35 s</c>, <c>4 m 12 s</c>, <c>1 h 5 m</c>, <c>3 d 2 h</c></summary>
    internal static string Duration(TimeSpan time)
    {
        var seconds = (long)Math.Round(time.TotalSeconds);
        return seconds switch
        {
            < 60 => $"{seconds} s",
            < 600 => $"{seconds / 60} m {seconds % 60} s",
            < 3600 => $"{seconds / 60} m",
            < 86400 => $"{seconds / 3600} h {seconds / 60 % 60} m",
            _ => $"{seconds / 86400} d {seconds / 3600 % 24} h",
        };
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
