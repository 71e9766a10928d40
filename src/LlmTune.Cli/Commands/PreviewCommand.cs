using System.CommandLine;
using LlmTune.Cli.Terminal;
using LlmTune.Io;
using LlmTune.Recipes;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune preview</c>: the data of a run as the model will see them.</summary>
internal static class PreviewCommand
{
    public static Command Create()
    {
        var config = new Argument<string>("run.yaml") { Description = "run file, see configs/ and llmtune init" };
        var overrides = new Argument<string[]>("settings") { Description = "settings to change: data.max_length=512", Arity = ArgumentArity.ZeroOrMore };
        var rows = new Option<int>("--rows", "-n") { Description = "examples to show, of each source in turn", HelpName = "n", DefaultValueFactory = _ => 3 };
        var ids = new Option<bool>("--ids") { Description = "every token of them on a line of its own, with its id" };
        var check = new Option<bool>("--check") { Description = "look for mistakes with prompts and special tokens; exit code 1 if there are any" };
        var html = new Option<string>("--html") { Description = "write it as one HTML file too", HelpName = "file" };
        var command = new Verb("preview", "show the data of a run as the model will see them; needs no weights",
            "preview run.yaml",
            "preview run.yaml --rows 1 --ids data.max_length=512",
            "preview run.yaml --check --html preview.html")
        {
            config, overrides, rows, ids, check, html,
        };
        command.SetAction(args =>
        {
            if (args.GetValue(rows) < 0) throw new RequestException($"--rows must be at least 0, got {args.GetValue(rows)}");
            var file = args.GetValue(config)!;
            var session = args.Session();
            var preview = Read(RunFiles.Read(file, args.GetValue(overrides) ?? [], session), args.GetValue(rows), session);
            new PreviewScreen(session.Screen.Results).Show(preview, args.GetValue(ids), args.GetValue(check));
            if (args.GetValue(html) is { } page)
            {
                AtomicFile.WriteText(page, PreviewPage.Html(preview, Path.GetFileName(file)));
                session.Log.Information("Wrote {File}", page);
            }
            return args.GetValue(check) && preview.HasProblem ? Failures.RunFailed : 0;
        });
        return command;
    }

    private static PreviewResult Read(RunConfig config, int rows, Session session)
    {
        using var view = new ProgressView(session);
        return Preview.Run(config, rows, session.Log, new Reading(view), session.Interrupt.Token);
    }
}
