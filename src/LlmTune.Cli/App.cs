using System.CommandLine;
using LlmTune.Cli.Terminal;

namespace LlmTune.Cli;

/// <summary>The frame around every verb: parsing, help, logging, Ctrl-C, and how failures end.</summary>
public static class App
{
    internal static readonly Option<bool> Verbose = new("--verbose", "-v") { Description = "say more; stack traces of errors", Recursive = true };
    internal static readonly Option<bool> Quiet = new("--quiet", "-q") { Description = "warnings, errors and results only", Recursive = true };

    internal static readonly Option<FileInfo> LogFile = new("--log-file")
    {
        Description = "write the log to this file too",
        HelpName = "file",
        Recursive = true,
    };

    /// <returns>The exit code: 0 done, 1 the run failed, 2 the request was wrong, 130 interrupted.</returns>
    public static int Run(string[] args, Screen screen)
    {
        var root = Root();
        var parsed = root.Parse(args switch
        {
            ["help", .. var verb] => [.. verb, "--help"],   // as many programs have it
            ["version"] => ["--version"],
            _ => args,
        });
        if (ParseMistakes.Of(parsed) is { Count: > 0 } mistakes) return Failures.Report(mistakes, parsed, screen);

        using var interrupt = new Interrupt(screen);
        try
        {
            using var session = Session.Start(parsed, screen, interrupt);
            return session.Guard(() => parsed.Invoke(session));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)   // the log file
        {
            return Failures.Report(new RequestException($"--log-file: {e.Message}"), screen, verbose: false);
        }
    }

    internal static RootCommand Root()
    {
        var root = new RootCommand("Fine-tunes language models, without Python: from a run file to a model that any server takes.")
        {
            Verbose,
            Quiet,
            LogFile,
        };
        foreach (var verb in Verbs.All()) root.Subcommands.Add(verb);
        HelpText.Attach(root);
        return root;
    }
}
