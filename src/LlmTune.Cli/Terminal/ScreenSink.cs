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

    /// <summary>On a terminal broken between words; not tables, nor commands, which are copied whole.</summary>
    private string Wrapped(string text, int label)
    {
        if (!console.Profile.Capabilities.Ansi) return text;
        List<string> lines = [];
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            var first = lines.Count == 0 ? label : 0;
            var indent = line.Length - line.TrimStart(' ').Length;
            var isPlain = !line[indent..].Contains("  ", StringComparison.Ordinal) && !line.Contains("llmtune ", StringComparison.Ordinal);
            if (first + line.Length <= console.Profile.Width || !isPlain) lines.Add(line);
            else lines.AddRange(TextColumns.Wrap(new string('x', first) + line[indent..], console.Profile.Width - indent)
                .Select((part, i) => new string(' ', indent) + (i == 0 ? part[first..] : part)));
        }
        return string.Join('\n', lines);
    }

    public void Emit(LogEvent logEvent)
    {
        if (logEvent.Properties.ContainsKey(FileOnly) || (isLive && logEvent.Properties.ContainsKey(Progress))) return;
        var text = new StringWriter();
        Message.Format(logEvent, text);
        switch (logEvent.Level)
        {
            case >= LogEventLevel.Error:
                console.Line("error: ", "bold red", Wrapped(text.ToString(), "error: ".Length));
                break;
            case LogEventLevel.Warning:
                console.Line("warning: ", "olive", Wrapped(text.ToString(), "warning: ".Length));
                break;
            default:
                console.Line(Wrapped(text.ToString(), 0), logEvent.Level < LogEventLevel.Information ? "dim" : "");
                break;
        }
    }
}
