using Serilog.Core;
using Serilog.Events;

namespace LlmTune.Cli.Terminal;

/// <summary>Keeps a log off the screen, all but its warnings and errors; the log file has it all.</summary>
internal sealed class FileOnlyBelowWarning(bool isVerbose) : ILogEventEnricher
{
    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        if (!isVerbose && logEvent.Level < LogEventLevel.Warning)
            logEvent.AddOrUpdateProperty(propertyFactory.CreateProperty(ScreenSink.FileOnly, true));
    }
}
