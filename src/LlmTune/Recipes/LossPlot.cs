using System.Globalization;
using System.Text.Json;
using LlmTune.Io;
using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace LlmTune.Recipes;

/// <summary>
/// The losses of a run as a picture (SVG, drawn without fonts or native libraries of the machine): the training loss as it was logged
/// and smoothed, and the held-out losses. Losses that are not finite are left out and counted in the title.
/// </summary>
public static class LossPlot
{
    private const int Width = 800, Height = 450;

    /// <summary>The smoothed line looks over this share of the points to each side.</summary>
    private const double Reach = 0.03;

    /// <summary>Larger losses come on a logarithmic scale where the largest is so many times the smallest.</summary>
    private const double WideRange = 30;

    private static readonly OxyColor
        Raw = OxyColor.FromRgb(0xA6, 0xC8, 0xE8), Smooth = OxyColor.FromRgb(0x1F, 0x6F, 0xB4), HeldOut = OxyColor.FromRgb(0xD9, 0x5F, 0x02),
        Ink = OxyColor.FromRgb(0x33, 0x33, 0x33), Grid = OxyColor.FromRgb(0xE4, 0xE4, 0xE4);

    /// <summary>Draws what a run has written to its metrics.jsonl; a run can be drawn again at any time.</summary>
    /// <param name="metricsPath">Lines with <c>step</c> and <c>loss</c> or <c>eval_loss</c>; others are passed over.</param>
    /// <param name="svgPath">The picture to write.</param>
    /// <param name="title">Above it; null: none.</param>
    public static void Write(string metricsPath, string svgPath, string? title = null)
    {
        var losses = LossCurves.Read(metricsPath);
        var svg = SvgExporter.ExportToString(
            Draw(losses, title), Width, Height, isDocument: true, new AnyFont(), useVerticalTextAlignmentWorkaround: true);
        AtomicFile.WriteText(svgPath, svg);
    }

    private static PlotModel Draw(LossCurves losses, string? title)
    {
        var values = losses.Training.Concat(losses.HeldOut).Select(point => point.Y).ToArray();
        var isWide = values.Length > 0 && values.Min() > 0 && values.Max() / values.Min() > WideRange;
        var note = losses.NotFinite switch
        {
            0 => "",
            1 => " (1 loss is not finite and not drawn)",
            var many => string.Create(CultureInfo.InvariantCulture, $" ({many:N0} losses are not finite and not drawn)"),
        };
        var model = new PlotModel
        {
            Title = title + note is { Length: > 0 } text ? text : null,
            Background = OxyColors.White,
            TextColor = Ink,
            PlotAreaBorderColor = Grid,
            DefaultFont = "Arial, sans-serif",
            TitleFontSize = 14,
            TitleFontWeight = FontWeights.Normal,
        };
        model.Axes.Add(Axis(new LinearAxis { MinimumPadding = 0.01, MaximumPadding = 0.01, MinimumMajorStep = 1 }, AxisPosition.Bottom, "step"));
        model.Axes.Add(Axis(isWide ? new LogarithmicAxis() : new LinearAxis { MinimumPadding = 0.05, MaximumPadding = 0.05 },
            AxisPosition.Left, "loss per trained token"));
        model.Legends.Add(new Legend { LegendPosition = LegendPosition.RightTop, LegendBackground = OxyColors.White, LegendBorder = Grid });

        if (losses.Training.Count > 0)
        {
            model.Series.Add(Line("training", losses.Training, Raw, thickness: 1, marked: losses.Training.Count == 1));
            if (losses.Training.Count > 2) model.Series.Add(Line("smoothed", Smoothed(losses.Training), Smooth, thickness: 2, marked: false));
        }
        if (losses.HeldOut.Count > 0) model.Series.Add(Line("held out", losses.HeldOut, HeldOut, thickness: 1.5, marked: true));
        return model;
    }

    private static Axis Axis(Axis axis, AxisPosition position, string title)
    {
        axis.Position = position;
        axis.Title = title;
        axis.MajorGridlineStyle = LineStyle.Solid;
        axis.MajorGridlineColor = Grid;
        axis.TicklineColor = Grid;
        axis.AxisTitleDistance = 14;
        axis.MinorTickSize = 0;
        return axis;
    }

    private static LineSeries Line(string title, IReadOnlyList<DataPoint> points, OxyColor color, double thickness, bool marked)
    {
        var line = new LineSeries { Title = title, Color = color, StrokeThickness = thickness };
        if (marked) line.LineStyle = LineStyle.Dash;
        if (marked) (line.MarkerType, line.MarkerSize, line.MarkerFill) = (MarkerType.Circle, 3.5, color);
        line.Points.AddRange(points);
        return line;
    }

    /// <summary>Means of the points around each; of fewer at the beginning, where losses fall fast, so that nothing is shifted.</summary>
    internal static IReadOnlyList<DataPoint> Smoothed(IReadOnlyList<DataPoint> points)
    {
        var reach = Math.Max(1, (int)(points.Count * Reach));
        return [.. points.Select((point, i) =>
        {
            var room = Math.Min(reach, i);
            return new DataPoint(point.X, points.Skip(i - room).Take(2 * room + 1).Average(p => p.Y));
        })];
    }

    /// <summary>Measures text for whatever font the picture is shown with: a little wider and higher than Helvetica's.</summary>
    private sealed class AnyFont() : PdfRenderContext(Width, Height, OxyColors.White)
    {
        private const double Wider = 1.4, Higher = 1.3;

        public override OxySize MeasureText(string text, string fontFamily, double fontSize, double fontWeight)
        {
            var size = base.MeasureText(text, "Helvetica", fontSize, fontWeight);
            return new OxySize(size.Width * Wider, size.Height * Higher);
        }
    }
}

/// <summary>The finite losses of a run, by step.</summary>
internal sealed record LossCurves(IReadOnlyList<DataPoint> Training, IReadOnlyList<DataPoint> HeldOut, int NotFinite)
{
    public static LossCurves Read(string metrics)
    {
        var (training, heldOut, notFinite) = (new List<DataPoint>(), new List<DataPoint>(), 0);
        foreach (var line in JsonLines.Read(metrics))
        {
            if (line.Value is not { ValueKind: JsonValueKind.Object } value || !value.TryGetProperty("step", out var step)) continue;
            if (value.TryGetProperty("loss", out var loss)) Add(training, step, loss);
            if (value.TryGetProperty("eval_loss", out loss)) Add(heldOut, step, loss);
        }
        return new LossCurves(training, heldOut, notFinite);

        // NaN and the infinities stand as null or as texts in JSON.
        void Add(List<DataPoint> points, JsonElement step, JsonElement loss)
        {
            if (loss.ValueKind == JsonValueKind.Number && double.IsFinite(loss.GetDouble()))
                points.Add(new DataPoint(step.GetDouble(), loss.GetDouble()));
            else notFinite++;
        }
    }
}
