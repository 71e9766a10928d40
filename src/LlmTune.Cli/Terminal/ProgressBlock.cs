using System.Globalization;
using Spectre.Console;

namespace LlmTune.Cli.Terminal;

/// <summary>The live block as lines of markup that fit a width.</summary>
internal static class ProgressBlock
{
    private const int WidestBar = 40;
    private const string Gap = "   ";

    /// <summary>A bar with the step, the numbers with the curve of the loss, and the speed.</summary>
    public static IReadOnlyList<string> Lines(ProgressStep step, IReadOnlyList<double> losses, int width)
    {
        var share = (double)step.Step / Math.Max(step.TotalSteps, 1);
        string[] facts =
        [
            $"{100 * share:F0} %",
            step.Epoch is { } epoch ? string.Create(CultureInfo.InvariantCulture, $"epoch {epoch:F2}") : "",
            step.Left,
        ];
        var numbers = Fit(step.Numbers, width - 1);
        var curve = Sparkline(losses, Math.Min(WidestBar, width - 1 - numbers.Length - Gap.Length));
        return
        [
            Bar($"step {step.Step}/{step.TotalSteps}", share, facts, width),
            $" {Markup.Escape(numbers)}{(curve.Length > 0 ? $"{Gap}[teal]{curve}[/]" : "")}",
            $" [dim]{Markup.Escape(Fit(step.Speed, width - 1))}[/]",
        ];
    }

    public static IReadOnlyList<string> Lines(string activity, long done, long total, int width)
    {
        var share = (double)done / Math.Max(total, 1);
        return [Bar(activity, share, [string.Create(CultureInfo.InvariantCulture, $"{done:N0}/{total:N0}")], width)];
    }

    /// <summary>The values in a row of eighth blocks, the newest right; each character is the mean of its share of them.</summary>
    internal static string Sparkline(IReadOnlyList<double> values, int width)
    {
        var count = Math.Min(values.Count, width);
        if (count < 2) return "";
        var means = Enumerable.Range(0, count).Select(i =>
        {
            var (start, end) = (i * values.Count / count, (i + 1) * values.Count / count);
            return Enumerable.Range(start, end - start).Average(j => values[j]);
        }).ToArray();
        var finite = means.Where(double.IsFinite).DefaultIfEmpty().ToArray();
        var (low, high) = (finite.Min(), finite.Max());
        var scale = high > low ? 7 / (high - low) : 0;
        return string.Concat(means.Select(mean => double.IsFinite(mean) ? "▁▂▃▄▅▆▇█"[(int)Math.Round(scale * (mean - low))] : '?'));
    }

    private static string Bar(string label, double share, IEnumerable<string> facts, int width)
    {
        var right = Fit(facts.Where(fact => fact.Length > 0), width - label.Length - 2 * Gap.Length - 11);
        var room = Math.Clamp(width - 1 - label.Length - right.Length - 2 * Gap.Length, 0, WidestBar);
        var full = (int)(Math.Clamp(share, 0, 1) * room);
        var bar = $"[teal]{new string('━', full)}[/][dim]{new string('─', room - full)}[/]";
        return $" [bold]{Markup.Escape(label)}[/]{Gap}{bar}{Gap}{Markup.Escape(right)}";
    }

    /// <summary>As many of the parts as have room, from the left.</summary>
    private static string Fit(IEnumerable<string> parts, int width)
    {
        var text = "";
        foreach (var part in parts)
        {
            var longer = text.Length == 0 ? part : text + Gap + part;
            if (longer.Length > width) break;
            text = longer;
        }
        return text;
    }
}
