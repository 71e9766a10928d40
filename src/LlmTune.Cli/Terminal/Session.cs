using System.CommandLine;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace LlmTune.Cli.Terminal;

/// <summary>What a verb has around it while it runs: the screen, the log, and the wish of the user to stop.</summary>
public sealed class Session : InvocationConfiguration, IDisposable
{
    private readonly Logger _log;
    private readonly bool _verbose;

    private Session(Screen screen, Logger log, Interrupt interrupt, bool verbose)
    {
        (Screen, _log, Interrupt, _verbose) = (screen, log, interrupt, verbose);
        Output = screen.Output;
        EnableDefaultExceptionHandler = false;
    }

    public Screen Screen { get; }

    public ILogger Log => _log;

    public Interrupt Interrupt { get; }

    /// <summary>Only warnings, errors and results are shown.</summary>
    public bool IsQuiet { get; private init; }

    /// <summary>Details are shown too.</summary>
    public bool IsVerbose => _verbose;

    internal static Session Start(ParseResult parsed, Screen screen, Interrupt interrupt)
    {
        var verbose = parsed.GetValue(App.Verbose);
        var detail = verbose ? LogEventLevel.Debug : LogEventLevel.Information;
        var log = new LoggerConfiguration().MinimumLevel.Is(detail)
            .WriteTo.Sink(new ScreenSink(screen.People, screen.IsLive), parsed.GetValue(App.Quiet) ? LogEventLevel.Warning : detail);
        if (parsed.GetValue(App.LogFile) is { } file)
        {
            file.Directory!.Create();
            using (file.Open(FileMode.Append)) { }   // Serilog would be silent about a file that cannot be written
            log.WriteTo.File(file.FullName, outputTemplate: "{Timestamp:yyyy-MM-dd HH:mm:ss} {Level:u3} {Message:lj}{NewLine}{Exception}",
                formatProvider: System.Globalization.CultureInfo.InvariantCulture);
        }
        return new Session(screen, log.CreateLogger(), interrupt, verbose) { IsQuiet = parsed.GetValue(App.Quiet) };
    }

    /// <summary>Runs a verb; a failure becomes a message and an exit code.</summary>
    internal int Guard(Func<int> verb)
    {
        try
        {
            return verb();
        }
        catch (Exception e)
        {
            _log.ForContext(ScreenSink.FileOnly, true).Error(e, "failed");
            return Failures.Report(e, Screen, _verbose);
        }
    }

    public void Dispose() => _log.Dispose();
}

internal static class SessionExtensions
{
    /// <summary>The session that a verb runs in.</summary>
    public static Session Session(this ParseResult parsed) => (Session)parsed.InvocationConfiguration;
}
