using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting.Display;
using Spectre.Console;

namespace LlmTune.Cli.Terminal;

/// <summary>The log as people read it: plain sentences; only warnings and errors say what they are. It prints above a live block.</summary>
internal sealed class ScreenSink(IAnsiConsole console, bool isLive) : ILogEventSink
{
    /// <summary>A property of events that the screen has in another form: the live block, or the error message.</summary>
    public const string FileOnly = "FileOnly";

    /// <summary>A property of events that stand in the live block where there is one.</summary>
    public const string Progress = "Progress";

    private static readonly MessageTemplateTextFormatter Message = new("{Message:lj}", System.Globalization.CultureInfo.InvariantCulture);

    public void Emit(LogEvent logEvent)
    {
        if (logEvent.Properties.ContainsKey(FileOnly) || (isLive && logEvent.Properties.ContainsKey(Progress))) return;
        var text = new StringWriter();
        Message.Format(logEvent, text);
        switch (logEvent.Level)
        {
            case >= LogEventLevel.Error:
                console.Line("error: ", "bold red", text.ToString());
                break;
            case LogEventLevel.Warning:
                console.Line("warning: ", "olive", text.ToString());
                break;
            default:
                console.Line(text.ToString(), logEvent.Level < LogEventLevel.Information ? "dim" : "");
                break;
        }
    }
}
