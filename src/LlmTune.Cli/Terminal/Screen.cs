using Spectre.Console;

namespace LlmTune.Cli.Terminal;

/// <summary>
/// Where the program writes: results to standard output, so that they can be piped, and everything for people (log, progress,
/// errors, questions) to standard error. Colours and live blocks only on a terminal; NO_COLOR and TERM=dumb are respected.
/// </summary>
public sealed class Screen
{
    private Screen(TextWriter output, TextWriter error, bool isLive, bool canAsk, int? terminalWidth = null)
    {
        Output = output;
        Results = Create(output, terminalWidth);
        People = Create(error, terminalWidth);
        IsLive = isLive && People.Profile.Capabilities.Ansi;
        CanAsk = canAsk && IsLive;
    }

    /// <summary>Standard output, for results that another program may read.</summary>
    public TextWriter Output { get; }

    /// <summary>Standard output, for tables and colours.</summary>
    public IAnsiConsole Results { get; }

    /// <summary>Standard error: log, progress, errors, questions.</summary>
    public IAnsiConsole People { get; }

    /// <summary>A block of text may be kept up to date in place.</summary>
    public bool IsLive { get; }

    /// <summary>Someone is there to answer.</summary>
    public bool CanAsk { get; }

    public static Screen Standard()
    {
        Console.SetError(new PatientWriter(Console.Error));   // the console's own from here on: only that is taken for a terminal
        return new(
            Console.Out, Console.Error,
            isLive: !Console.IsErrorRedirected,
            canAsk: !Console.IsErrorRedirected && !Console.IsInputRedirected);
    }

    /// <summary>A screen that is two texts: as if both streams were redirected, or as if they were a terminal of a width.</summary>
    internal static Screen To(TextWriter output, TextWriter error, int? terminalWidth = null) =>
        new(output, error, isLive: terminalWidth is not null, canAsk: false, terminalWidth);

    private static IAnsiConsole Create(TextWriter writer, int? terminalWidth)
    {
        var output = new AnsiConsoleOutput(writer);
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = output,
            Ansi = terminalWidth is not null ? AnsiSupport.Yes : output.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
        });
        if (terminalWidth is not null || !output.IsTerminal) console.Profile.Width = terminalWidth ?? 500;   // in a file nothing is wrapped
        return console;
    }
}
