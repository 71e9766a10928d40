using Spectre.Console;
using Spectre.Console.Rendering;

namespace LlmTune.Cli.Terminal;

/// <summary>A line in one or two styles that is left to the terminal to wrap, so that paths and commands in it can be copied whole.</summary>
internal sealed class Line(string text, string style = "", string label = "", string labelStyle = "") : Renderable
{
    protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
    {
        if (label.Length > 0) yield return new Segment(label, Style.Parse(labelStyle));
        var own = style.Length > 0 ? Style.Parse(style) : Style.Plain;
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            yield return new Segment(line, own);
            yield return Segment.LineBreak;
        }
    }
}

internal static class LineExtensions
{
    public static void Line(this IAnsiConsole console, string text, string style = "") => console.Write(new Line(text, style));

    /// <summary><c>error: text</c>, the label in its own style.</summary>
    public static void Line(this IAnsiConsole console, string label, string labelStyle, string text, string style = "") =>
        console.Write(new Line(text, style, label, labelStyle));
}
