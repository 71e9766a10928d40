using System.Text;
using Spectre.Console;

namespace LlmTune.Cli.Terminal;

/// <summary>Texts from data files on a terminal, of which nothing may move the cursor or change its colours.</summary>
internal static class VisibleText
{
    /// <summary>Control characters as their pictures (ESC is ␛); line ends and tabs stay.</summary>
    public static string Of(string text) => Replace(text, keep: "\n\t");

    /// <summary>On one line: line ends are ⏎, tabs →.</summary>
    public static string OnOneLine(string text) => Replace(text, keep: "").Replace('␊', '⏎').Replace('␉', '→');

    /// <summary>Whether texts may be told apart by colours: on a terminal without NO_COLOR.</summary>
    public static bool HasColors(this IAnsiConsole console) =>
        console.Profile.Capabilities is { Ansi: true, ColorSystem: not ColorSystem.NoColors };

    private static string Replace(string text, string keep)
    {
        if (!text.Any(char.IsControl)) return text;
        var visible = new StringBuilder(text.Length);
        foreach (var c in text)
            visible.Append(!char.IsControl(c) || keep.Contains(c, StringComparison.Ordinal) ? c : c < ' ' ? (char)('\u2400' + c) : c == '\u007f' ? '␡' : '\ufffd');
        return visible.ToString();
    }
}
