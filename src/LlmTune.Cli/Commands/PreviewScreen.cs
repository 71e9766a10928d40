using System.Globalization;
using LlmTune.Cli.Terminal;
using LlmTune.Data;
using LlmTune.Recipes;
using LlmTune.Tokenization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace LlmTune.Cli.Commands;

/// <summary>A preview on the screen. What is trained on is coloured, or stands in ⟦ ⟧ where there are no colours.</summary>
internal sealed class PreviewScreen(IAnsiConsole console)
{
    private const int WidestBar = 40, Gap = 2;

    private readonly bool _colors = console.HasColors();

    public void Show(PreviewResult preview, bool ids, bool check)
    {
        if (preview.Examples.Count > 0) Legend(preview.Judgement);
        foreach (var example in preview.Examples)
        {
            console.Line($"── {example.Place} ", "bold", $"({PreviewText.Heading(example)})");
            Show(example.Tokens, isGood: true, ids ? 0 : null);
            foreach (var answer in example.Answers)
            {
                console.Line($"{answer.Name}:", answer.IsGood ? "bold green" : "bold red", "");
                Show(answer.Tokens, answer.IsGood, ids ? example.Tokens.Count : null);
            }
            console.WriteLine();
        }
        Sources(preview);
        Lengths(preview);
        foreach (var sentence in PreviewText.Summary(preview)) console.Line(sentence);
        Findings(preview, check);
    }

    private void Legend(Judgement judgement)
    {
        Segment[] kinds = judgement == Judgement.None
            ? [new Segment("trained on", Trained), new Segment("  masked", Masked)]
            : [new Segment("better answer", Trained), new Segment("  "), new Segment("worse answer", Avoided), new Segment("  prompt", Masked)];
        if (_colors) console.Write(new Run([.. kinds, new Segment("  "), new Segment("special token", Special(Masked)), Segment.LineBreak]));
        else console.Line(judgement == Judgement.None ? "⟦trained on⟧ masked" : "⟦answer⟧ prompt");
        console.WriteLine();
    }

    /// <param name="first">Position of the first token, where each stands on a line of its own with its id; null for text.</param>
    private void Show(IReadOnlyList<PreviewToken> tokens, bool isGood, int? first)
    {
        if (first is { } position)
        {
            Tokens(tokens, isGood, position);
            return;
        }
        var pieces = PreviewExample.Pieces(tokens, apart: _colors);
        console.Write(new Run([.. pieces.SelectMany(piece => Segments(piece, isGood)), Segment.LineBreak]));
    }

    private static Style Trained => new(Color.Green, decoration: Decoration.Bold);

    private static Style Avoided => new(Color.Red, decoration: Decoration.Bold);

    private static Style Masked => new(decoration: Decoration.Dim);

    private static Style Special(Style style) => new(style.Foreground == Color.Default ? Color.Fuchsia : style.Foreground, decoration: style.Decoration | Decoration.Underline);

    private Style StyleOf(bool trained, bool special, bool isGood)
    {
        if (!_colors) return Style.Plain;
        var style = !trained ? Masked : isGood ? Trained : Avoided;
        return special ? Special(style) : style;
    }

    /// <summary>Line ends are in segments of their own, so that colours end with their line.</summary>
    private IEnumerable<Segment> Segments((string Text, bool Trained, bool Special, float Weight) piece, bool isGood)
    {
        var style = StyleOf(piece.Trained, piece.Special, isGood);
        var lines = VisibleText.Of(piece.Text).ReplaceLineEndings("\n").Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var isLast = i == lines.Length - 1;
            var text = piece.Trained && !isLast ? lines[i] + "⏎" : lines[i];
            if (piece.Trained && !_colors) text = $"{(i == 0 ? "⟦" : "")}{text}{(isLast ? "⟧" : "")}";
            if (isLast && piece.Weight != 1) text += string.Create(CultureInfo.InvariantCulture, $" ×{piece.Weight:0.###} ");
            if (text.Length > 0) yield return new Segment(text, style);
            if (!isLast) yield return Segment.LineBreak;
        }
    }

    /// <summary>Place, id, whether it is trained on, and text of each token.</summary>
    private void Tokens(IReadOnlyList<PreviewToken> tokens, bool isGood, int first)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            var token = tokens[i];
            var start = string.Create(CultureInfo.InvariantCulture, $"{first + i,6} {token.Id,8}  {(token.Trained ? '+' : ' ')} {(token.Weight != 1 ? $"×{token.Weight:0.###} " : "")}");
            var text = new Segment(VisibleText.OnOneLine(token.Text), StyleOf(token.Trained, token.Special, isGood));
            console.Write(new Run([new Segment(start), text, Segment.LineBreak]));
        }
    }

    /// <summary>A line a source where that fits the screen, else a column a source, as many beside each other as fit.</summary>
    private void Sources(PreviewResult preview)
    {
        List<string[]> rows = [.. preview.Report.Lines()];
        if (TableWidth(rows) <= console.Profile.Width)
        {
            Table(rows, texts: 2);
        }
        else
        {
            List<string[]> columns = [.. rows.Skip(1)];
            while (columns.Count > 0)
            {
                var count = columns.Count;
                while (count > 1 && TableWidth(Turned(count)) > console.Profile.Width) count--;
                Table(Turned(count), texts: 1);
                columns.RemoveRange(0, count);
            }

            List<string[]> Turned(int count) => [.. rows[0].Select((name, i) => (string[])[i == 0 ? "" : name, .. columns.Take(count).Select(column => column[i])])];
        }
        if (preview.Report.Overlap > 0) console.Line(string.Create(CultureInfo.InvariantCulture, $"{preview.Report.Overlap:N0} held-out rows also stand among those trained on"));
    }

    private static int[] Widths(List<string[]> rows) => [.. rows[0].Select((_, column) => rows.Max(row => row[column].GetCellWidth()))];

    private static int TableWidth(List<string[]> rows) => Widths(rows).Sum(width => width + Gap);

    /// <param name="texts">So many columns are texts, the others numbers.</param>
    private void Table(List<string[]> rows, int texts)
    {
        var widths = Widths(rows);
        for (var i = 0; i < rows.Count; i++)
        {
            var cells = rows[i].Select((cell, column) => (Cell: cell, Fill: new string(' ', widths[column] - cell.GetCellWidth()), IsText: column < texts));
            console.Line(string.Concat(cells.Select(cell => new string(' ', Gap) + (cell.IsText ? cell.Cell + cell.Fill : cell.Fill + cell.Cell))).TrimEnd(), i == 0 ? "bold" : "");
        }
        console.WriteLine();
    }

    private void Lengths(PreviewResult preview)
    {
        var bins = preview.Lengths;
        console.Line(preview.Judgement == Judgement.None ? "Tokens of a document" : "Tokens of a prompt with each of its answers, together", "bold");
        var most = bins.Select(bin => bin.Count).DefaultIfEmpty(1).Max();
        var labels = bins.Select(bin => string.Create(CultureInfo.InvariantCulture, $"{bin.From:N0}–{bin.To:N0}")).ToList();
        var (label, count) = (labels.Select(text => text.Length).DefaultIfEmpty().Max(), most.ToString("N0", CultureInfo.InvariantCulture).Length);
        foreach (var (bin, text) in bins.Zip(labels))
        {
            var bar = new string('█', (int)Math.Ceiling((double)WidestBar * bin.Count / Math.Max(most, 1)));
            console.Line($"  {text.PadLeft(label)}  ", "dim", $"{bin.Count.ToString("N0", CultureInfo.InvariantCulture).PadLeft(count)}  {bar}".TrimEnd());
        }
        console.WriteLine();
    }

    private void Findings(PreviewResult preview, bool check)
    {
        foreach (var (_, level, problem, remedy) in preview.Findings)
        {
            if (level == AuditLevel.Unchecked && !check) continue;
            var (label, style) = level switch { AuditLevel.Error => ("error: ", "bold red"), AuditLevel.Warning => ("warning: ", "olive"), _ => ("not checked: ", "dim") };
            console.Line(label, style, $"{problem}\n  → {remedy}");
        }
        if (!check || preview.HasProblem) return;
        var prompts = preview.ComparedTurns > 0 ? string.Create(CultureInfo.InvariantCulture, $"; the prompts of {preview.ComparedTurns:N0} answers are those of inference") : "";
        console.Line("Check: ", "bold green", $"special tokens and the ends of answers are as they should be{prompts}");
    }

    /// <summary>Pieces of text that the terminal wraps.</summary>
    private sealed class Run(IReadOnlyList<Segment> segments) : Renderable
    {
        protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => segments;
    }
}
