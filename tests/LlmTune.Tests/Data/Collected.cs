using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace LlmTune.Tests.Data;

/// <summary>What is logged, as text.</summary>
internal sealed class Collected : ILogEventSink
{
    public List<string> Messages { get; } = [];

    public ILogger Logger => new LoggerConfiguration().WriteTo.Sink(this).CreateLogger();

    public void Emit(LogEvent logEvent) => Messages.Add(logEvent.RenderMessage(System.Globalization.CultureInfo.InvariantCulture).Replace("\"", "", StringComparison.Ordinal));
}
