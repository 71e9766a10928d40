using Spectre.Console;

namespace LlmTune.Cli.Terminal;

/// <summary>Rows in aligned columns without lines around them; only the last column wraps, by words, and only on a terminal.</summary>
internal static class TextColumns
{
    private const int Gap = 3, NarrowestWrapped = 24;

    public static void Write(IAnsiConsole console, IReadOnlyList<string[]> rows, IReadOnlyList<int> widths)
    {
        var before = widths.Sum(width => width + Gap);
        var room = Math.Max(NarrowestWrapped, console.Profile.Width - 2 - before);
        foreach (var row in rows)
        {
            var lines = Wrap(row[^1], room);
            var rest = string.Concat(row[1..^1].Select((cell, i) => cell.PadRight(widths[i + 1] + Gap)));
            console.Line($"  {row[0].PadRight(widths[0] + Gap)}", "teal", $"{rest}{lines[0]}".TrimEnd());
            foreach (var line in lines.Skip(1)) console.Line(new string(' ', before + 2) + line);
        }
    }

    public static void Write(IAnsiConsole console, IReadOnlyList<string[]> rows) => Write(console, rows, Widths(rows));

    /// <summary>Of all columns but the last.</summary>
    public static IReadOnlyList<int> Widths(IReadOnlyList<string[]> rows) =>
        [.. Enumerable.Range(0, rows[0].Length - 1).Select(i => rows.Max(row => row[i].Length))];

    internal static IReadOnlyList<string> Wrap(string text, int width)
    {
        List<string> lines = [""];
        foreach (var word in text.Split(' '))
        {
            if (lines[^1].Length == 0) lines[^1] = word;
            else if (lines[^1].Length + 1 + word.Length <= width) lines[^1] += " " + word;
            else lines.Add(word);
        }
        return lines;
    }
}
