using System.Globalization;
using System.Xml.Linq;
using LlmTune.Recipes;
using OxyPlot;

namespace LlmTune.Tests.Recipes;

/// <summary>What stands in the picture, read from the SVG.</summary>
public sealed class LossPlotTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private (string[] Texts, XElement[] Lines, int Circles) Plot(params string[] metrics)
    {
        File.WriteAllLines(_folder["metrics.jsonl"], metrics);
        LossPlot.Write(_folder["metrics.jsonl"], _folder["loss.svg"], "my run");
        var shapes = XDocument.Load(_folder["loss.svg"]).Descendants().ToArray();
        // Grid and ticks are gray lines; the curves have their own colours.
        var lines = shapes.Where(shape => shape.Name.LocalName is "polyline" && !((string?)shape.Attribute("style"))!.Contains("228,228,228", StringComparison.Ordinal));
        return ([.. shapes.Where(shape => shape.Name.LocalName == "text").Select(text => text.Value)], [.. lines], shapes.Count(shape => shape.Name.LocalName == "ellipse"));
    }

    private static (double X, double Y)[] Points(XElement line) =>
    [
        .. ((string)line.Attribute("points")!).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(point => point.Split(',').Select(n => double.Parse(n, CultureInfo.InvariantCulture)).ToArray())
            .Select(point => (point[0], point[1])),
    ];

    [Fact]
    public void A_run_has_its_losses_smoothed_and_held_out_with_axes_and_a_legend()
    {
        var (texts, lines, circles) = Plot(
            """{"step": 0, "epoch": 0, "eval_loss": 5.0}""",
            """{"step": 10, "loss": 4.0, "learning_rate": 1e-3}""",
            """{"step": 20, "loss": 3.0}""",
            """{"step": 30, "loss": 2.0}""",
            """{"step": 40, "loss": 1.5}""",
            """{"step": 40, "epoch": 1, "eval_loss": 2.5}""");
        Assert.All(["my run", "step", "loss per trained token", "training", "smoothed", "held out"], text => Assert.Contains(text, texts));
        Assert.Equal(2 + 1, circles);   // one in the legend

        var training = lines.Select(Points).First(points => points.Length == 4);
        Assert.Equal(training.Select(point => point.X).Order(), training.Select(point => point.X));
        Assert.Equal(training.Select(point => point.Y).Order(), training.Select(point => point.Y));   // downwards in a picture is more
        Close.Assert(training[1].X - training[0].X, training[2].X - training[1].X, "ten steps each", 1e-3);
        Close.Assert(training[1].Y - training[0].Y, training[2].Y - training[1].Y, "a loss of 1 each", 1e-3);
    }

    [Fact]
    public void A_run_of_one_step_is_a_point()
    {
        var (texts, lines, circles) = Plot("""{"step": 1, "loss": 2.5}""");
        Assert.Contains("training", texts);
        Assert.DoesNotContain("smoothed", texts);
        Assert.DoesNotContain("held out", texts);
        Assert.Equal(1 + 1, circles);
        Assert.DoesNotContain(lines, line => ((string)line.Attribute("points")!).Contains("NaN", StringComparison.Ordinal));
    }

    [Fact]
    public void Losses_that_are_not_finite_are_left_out_and_counted()
    {
        var (texts, _, _) = Plot("""{"step": 1, "loss": 2.5}""", """{"step": 2, "loss": "NaN"}""", """{"step": 3, "loss": "Infinity"}""", """{"step": 4, "loss": 2.0}""");
        Assert.Contains("my run (2 losses are not finite and not drawn)", texts);
        Assert.DoesNotContain("NaN", File.ReadAllText(_folder["loss.svg"]), StringComparison.Ordinal);

        (texts, _, _) = Plot("""{"step": 1, "loss": "NaN"}""");
        Assert.Contains("my run (1 loss is not finite and not drawn)", texts);
    }

    [Fact]
    public void A_run_that_logged_nothing_has_empty_axes()
    {
        var (texts, lines, _) = Plot();
        Assert.Contains("step", texts);
        Assert.Empty(lines);
    }

    /// <summary>From 100 to 0.1 nothing could be seen of the end on an even scale: equal ratios take equal room.</summary>
    [Fact]
    public void Losses_of_very_different_sizes_are_on_a_logarithmic_scale()
    {
        var (_, lines, _) = Plot("""{"step": 1, "eval_loss": 100}""", """{"step": 2, "eval_loss": 10}""", """{"step": 3, "eval_loss": 1}""", """{"step": 4, "eval_loss": 0.1}""");
        var points = lines.Select(Points).Single(line => line.Length == 4);
        Close.Assert(points[1].Y - points[0].Y, points[3].Y - points[2].Y, "a tenth each", 1e-3);
    }

    /// <summary>The first stays; the second is the mean of three; the last that of the two that are there.</summary>
    [Fact]
    public void Smoothing_takes_means_of_neighbours()
    {
        DataPoint[] points = [new(1, 4), new(2, 2), new(3, 0)];
        Assert.Equal([4, 2, 1], LossPlot.Smoothed(points).Select(point => point.Y));
        Assert.Equal([1, 2, 3], LossPlot.Smoothed(points).Select(point => point.X));
    }

    public void Dispose() => _folder.Dispose();
}
