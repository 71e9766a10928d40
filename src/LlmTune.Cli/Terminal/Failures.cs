using System.CommandLine;
using LlmTune.Config;
using Spectre.Console;

namespace LlmTune.Cli.Terminal;

/// <summary>How a failure is shown, and the exit code it has.</summary>
internal static class Failures
{
    public const int RunFailed = 1, RequestWrong = 2, Interrupted = 130;

    public static int Report(Exception failure, Screen screen, bool verbose)
    {
        var console = screen.People;
        var code = failure switch
        {
            RequestException => RequestWrong,
            OperationCanceledException => Interrupted,
            _ => RunFailed,
        };
        switch (failure)
        {
            case OperationCanceledException:
                console.Line("interrupted", "olive");
                break;
            case ConfigException config:
                foreach (var problem in config.Problems) console.Line($"{problem.Place}: ", "bold red", problem.Message);
                break;
            case RequestException or RunException or IOException or UnauthorizedAccessException:
                Error(console, failure.Message);
                break;
            default:
                if (IsOutOfMemory(failure))
                {
                    Error(console, $"out of memory: {failure.Message.Split('\n')[0]}");
                    console.Line("  → smaller per_device_train_batch_size (with more gradient_accumulation_steps the result is the same), "
                        + "gradient_checkpointing: true, or a shorter data.max_length");
                    break;
                }
                var where = verbose ? "" : ", --verbose shows where";
                Error(console, $"{failure.Message} ({failure.GetType().Name}; this is a defect of the program{where})");
                break;
        }
        if (verbose) console.Line(failure.ToString(), "dim");
        return code;
    }

    /// <summary>A command line that makes no sense.</summary>
    public static int Report(IReadOnlyList<string> mistakes, ParseResult parsed, Screen screen)
    {
        foreach (var mistake in mistakes) Error(screen.People, mistake);
        screen.People.Line($"{HelpText.NameOf(parsed.CommandResult.Command)} --help shows how it is used");
        return RequestWrong;
    }

    /// <summary>libtorch says it in words only, on every device in others.</summary>
    private static bool IsOutOfMemory(Exception failure) => failure is OutOfMemoryException
        || failure.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
        || failure.Message.Contains("not enough memory", StringComparison.OrdinalIgnoreCase)
        || failure.Message.Contains("can't allocate memory", StringComparison.OrdinalIgnoreCase);

    private static void Error(IAnsiConsole console, string message) => console.Line("error: ", "bold red", message);
}
