using LlmTune.Cli.Terminal;

namespace LlmTune.Tests.Cli;

public class TextColumnsTests
{
    [Fact]
    public void Only_the_last_column_wraps_by_words()
    {
        using var output = new StringWriter();
        var screen = Screen.To(output, TextWriter.Null, terminalWidth: 38);
        TextColumns.Write(screen.Results, [["a", "bb", "one two three four five six seven"], ["long", "", "x"]]);
        var text = System.Text.RegularExpressions.Regex.Replace(output.ToString().ReplaceLineEndings("\n"), "\e\\[[0-9;]*m", "");
        Assert.Equal(
            "  a      bb   one two three four five\n"
            + "              six seven\n"
            + "  long        x\n", text);
    }
}
