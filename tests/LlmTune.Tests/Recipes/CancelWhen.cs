using System.Globalization;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace LlmTune.Tests.Recipes;

/// <summary>A log that stops a run at a line.</summary>
internal sealed class CancelWhen(CancellationTokenSource cancel, string text) : ILogEventSink
{
    public static ILogger Says(string text, CancellationTokenSource cancel) => new LoggerConfiguration().WriteTo.Sink(new CancelWhen(cancel, text)).CreateLogger();

    public void Emit(LogEvent logEvent)
    {
        if (logEvent.RenderMessage(CultureInfo.InvariantCulture).Contains(text, StringComparison.Ordinal)) cancel.Cancel();
    }
}
