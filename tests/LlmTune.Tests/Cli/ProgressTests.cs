using LlmTune.Cli;
using LlmTune.Cli.Terminal;
using Spectre.Console;

namespace LlmTune.Tests.Cli;

public class ProgressTests
{
    private static readonly ProgressStep Full = new(120, 1000, 1.23456)
    {
        Epoch = 0.36,
        LearningRate = 1.8e-4,
        GradNorm = 0.8312,
        EvalLoss = 1.3,
        TokensPerSecond = 41203.4,
        Mfu = 0.38,
        Memory = (11_200_000_000, 24_000_000_000),
        TimeLeft = TimeSpan.FromSeconds(252),
    };

    [Fact]
    public void A_line_says_what_is_known()
    {
        Assert.Equal("step 120/1000 | loss 1.2346 | eval 1.3000 | lr 1.8e-4 | grad 0.831 | 41,203 tok/s | 38 % MFU | 11.2 of 24.0 GB | 4 m 12 s left", Full.Line);
        Assert.Equal("step 1/2 | loss NaN", new ProgressStep(1, 2, double.NaN).Line);
        Assert.Equal("step 1/2 | loss 1.5000 | words 1.2500 | letters 2.0000", new ProgressStep(1, 2, 1.5) { SourceLosses = [("words", 1.25), ("letters", 2)] }.Line);
        var many = new ProgressStep(1, 2, 1.5) { SourceLosses = [.. Enumerable.Range(0, 6).Select(i => ($"s{i}", 1.0))] };
        Assert.Equal("step 1/2 | loss 1.5000 | s0 1.0000 | s1 1.0000 | s2 1.0000 | s3 1.0000 | 2 more", many.Line);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(2e-4, "2e-4")]
    [InlineData(1.23456e-5, "1.23e-5")]
    [InlineData(9.999e-5, "1e-4")]
    [InlineData(0.5, "5e-1")]
    public void A_learning_rate(double value, string text) => Assert.Equal(text, ProgressStep.Scientific(value));

    [Theory]
    [InlineData(0.4, "0 s")]
    [InlineData(59.6, "1 m 0 s")]
    [InlineData(252, "4 m 12 s")]
    [InlineData(1800, "30 m")]
    [InlineData(3900, "1 h 5 m")]
    [InlineData(266400, "3 d 2 h")]
    public void A_duration(double seconds, string text) => Assert.Equal(text, ProgressStep.Duration(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(200)]
    [InlineData(80)]
    [InlineData(40)]
    [InlineData(20)]
    [InlineData(1)]
    public void The_block_fits_its_width(int width)
    {
        var lines = ProgressBlock.Lines(Full, [.. Enumerable.Range(1, 300).Select(i => 1.0 / i)], width).Append(ProgressBlock.Lines("tokenizing", 5, 10, width)[0]);
        Assert.All(lines, line => Assert.InRange(Markup.Remove(line).Length, 0, Math.Max(width, 20)));
    }

    [Fact]
    public void The_block_at_80_columns() => Assert.Equal(
    [
        " step 120/1000   ━━━────────────────────────   12 %   epoch 0.36   4 m 12 s left",
        " loss 1.2346   eval 1.3000   lr 1.8e-4   grad 0.831   █▅▁",
        " 41,203 tok/s   38 % MFU   11.2 of 24.0 GB",
    ],
    ProgressBlock.Lines(Full, [3, 2, 1], 80).Select(line => Markup.Remove(line)));

    /// <summary>0 is the lowest block, the largest value the highest; with less room than values each character is a mean.</summary>
    [Fact]
    public void A_sparkline()
    {
        Assert.Equal("▁▅█", ProgressBlock.Sparkline([0, 4, 7], 10));
        Assert.Equal("▁█", ProgressBlock.Sparkline([0, 2, 6, 8], 2));
        Assert.Equal("▁?█", ProgressBlock.Sparkline([0, double.NaN, 1], 10));
        Assert.Equal("▁▁", ProgressBlock.Sparkline([3, 3], 10));
        Assert.Equal("", ProgressBlock.Sparkline([3], 10));
        Assert.Equal("", ProgressBlock.Sparkline([1, 2, 3], -4));
    }

    [Fact]
    public void Redirected_output_gets_a_line_every_logging_step_and_at_the_end()
    {
        using var error = new StringWriter();
        Show(Screen.To(TextWriter.Null, error), view =>
        {
            for (var step = 1; step <= 5; step++) view.Update(new ProgressStep(step, 5, step));
        }, loggingSteps: 2);
        Assert.Equal("step 2/5 | loss 2.0000\nstep 4/5 | loss 4.0000\nstep 5/5 | loss 5.0000\n", error.ToString().ReplaceLineEndings("\n"));
    }

    [Fact]
    public void On_a_terminal_the_log_stands_above_one_block_that_shows_the_last_step()
    {
        using var error = new StringWriter();
        Show(Screen.To(TextWriter.Null, error, terminalWidth: 60), (view, session) =>
        {
            session.Log.Information("first");
            view.Update("tokenizing", 0, 10);
            view.Update("tokenizing", 10, 10);
            for (var step = 1; step <= 3; step++)
            {
                view.Update(new ProgressStep(step, 3, 4 - step));
                if (step == 2) session.Log.Warning("second");
            }
        });
        Assert.Equal(
        [
            "first",
            "warning: second",
            $" step 3/3   {new string('━', 39)}   100 %",
            " loss 1.0000   █▅▁",
            "",
            "",
        ], ScreenOf(error.ToString()));
        Assert.EndsWith("\e[?25h", error.ToString(), StringComparison.Ordinal);   // the cursor is shown again
    }

    private static void Show(Screen screen, Action<ProgressView> run, int loggingSteps = 1) => Show(screen, (view, _) => run(view), loggingSteps);

    private static void Show(Screen screen, Action<ProgressView, Session> run, int loggingSteps = 1)
    {
        using var interrupt = new Interrupt(screen);
        using var session = Session.Start(App.Root().Parse("schema"), screen, interrupt);
        using var view = new ProgressView(session, loggingSteps);
        run(view, session);
    }

    /// <summary>What a terminal shows after these characters: carriage return, line feed, cursor up, erase below, and colours.</summary>
    private static List<string> ScreenOf(string text)
    {
        List<string> lines = [""];
        var (row, column) = (0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\e')
            {
                var end = text.IndexOfAny([.. "AJmhl"], i);
                var sequence = text[(i + 2)..end];
                if (text[end] == 'A') row -= int.Parse(sequence, System.Globalization.CultureInfo.InvariantCulture);
                if (text[end] == 'J')
                {
                    lines[row] = lines[row][..Math.Min(column, lines[row].Length)];
                    lines.RemoveRange(row + 1, lines.Count - row - 1);
                }
                i = end;
            }
            else if (text[i] == '\r')
                column = 0;
            else if (text[i] == '\n')
            {
                (row, column) = (row + 1, 0);
                if (row == lines.Count) lines.Add("");
            }
            else
            {
                lines[row] = lines[row].PadRight(column).Remove(column, Math.Min(1, lines[row].Length - column)).Insert(column, $"{text[i]}");
                column++;
            }
        }
        return [.. lines.Select(line => line.TrimEnd())];
    }
}
