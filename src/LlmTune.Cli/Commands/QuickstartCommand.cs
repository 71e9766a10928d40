using System.CommandLine;
using LlmTune.Cli.Terminal;
using LlmTune.Native;
using LlmTune.Recipes;
using LlmTune.Recipes.Quickstart;
using LlmTune.Training;
using Serilog;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune quickstart</c>: the whole story on made-up data, told step by step.</summary>
internal static class QuickstartCommand
{
    private const string DefaultFolder = "out/quickstart", Beginning = "Ada went to the";

    public static Command Create()
    {
        var keep = new Option<string>("--keep")
        {
            Description = "where everything is kept; an earlier quickstart there is replaced, anything else is left alone",
            HelpName = "folder",
            DefaultValueFactory = _ => DefaultFolder,
        };
        var seed = new Option<int>("--seed")
        {
            Description = "of data, weights and order: the same gives the same",
            HelpName = "n",
            DefaultValueFactory = _ => 42,
        };
        var fast = new Option<bool>("--fast") { Description = "all steps in some seconds; too little to learn the task well" };
        var command = new Verb("quickstart",
            $"see it all in two minutes: data, tokenizer, pretraining, LoRA, merge, evaluation; kept in {DefaultFolder}",
            "quickstart",
            "quickstart --seed 7 --keep out/another",
            "quickstart --fast")
        {
            keep, seed, fast,
        };
        command.SetAction(args =>
        {
            if (args.GetValue(seed) < 0) throw new RequestException($"--seed must be at least 0, got {args.GetValue(seed)}");
            return Run(new QuickstartRequest(args.GetValue(keep)!, args.GetValue(seed), args.GetValue(fast)), args.Session());
        });
        return command;
    }

    private static int Run(QuickstartRequest request, Session session)
    {
        Libtorch.Load();
        set_num_threads(1);   // a model this small is no faster on several, and much slower where others need them
        session.Interrupt.Expect("stopping");
        var screen = new QuickstartScreen(session);
        try
        {
            Tell(request, screen, session);
            return 0;
        }
        catch (OperationCanceledException)
        {
            screen.Interrupted(request);
            return Failures.Interrupted;
        }
    }

    private static void Tell(QuickstartRequest request, QuickstartScreen screen, Session session)
    {
        using var log = Details(session);
        var story = new QuickstartStory(request, log, session.Interrupt.Token);
        var (folder, commands) = (story.Folder, story.Commands);
        screen.Begin(request);

        screen.Step("Data",
            "Made up by this program, the same for the same --seed: little tables, questions about them and their SQL, and simple texts "
            + "about the same things.");
        screen.Data(story.WriteData(ProgramPath.Absolute), folder);

        screen.Step("Tokenizer", "A byte-level BPE vocabulary is learnt from the texts, with the marks of a chat.", commands.Tokenizer);
        var tokenizer = story.MakeTokenizer();
        screen.Say($"{tokenizer.Tokens.Count:N0} entries, {tokenizer.Merges.Count:N0} of them merges.");

        screen.Step("Model", "A tiny model of Qwen3's shape, with random weights.", commands.InitModel);
        var spec = story.MakeModel();
        screen.Say($"{spec.Parameters:N0} parameters, {spec.Blocks.Count} layers.");

        screen.Step("Pretraining",
            "The whole model reads the texts and conversations: the base. It has not seen one question with its SQL.", commands.Pretrain);
        screen.Trained(Watched(session, story.Pretrain), folder.Base, "general text held out");
        screen.Wrote(Beginning, story.WriteOn(Beginning));

        screen.Step("LoRA", "The base stays as it is; an adapter beside it learns the task, with a share of general text mixed in.", commands.Tune);
        screen.Trained(Watched(session, story.Tune), folder.Lora, "questions about tables that are not in the training data");

        screen.Step("Merge", "The adapter is worked into the base: a model folder that any server takes.", commands.Merge);
        screen.Say($"Against base and adapter: {story.MergeAdapter()}.");

        screen.Step("Evaluation",
            "Base, adapter and merged model on the held-out questions; exact match: the SQL is right to the letter.", commands.Evaluate);
        IReadOnlyList<EvaluationResult> results;
        using (var view = new ProgressView(session)) results = story.EvaluateAll(session.Screen.IsLive ? view.Update : null);
        screen.Results(results, story.Samples(results, 3));

        screen.End(folder, commands, request.Fast);
    }

    private static FinetuneResult Watched(Session session, Func<Action<StepMetrics>, FinetuneResult> run)
    {
        using var view = new ProgressView(session, loggingSteps: 200);
        return run(metrics => view.Update(TrainCommand.Step(metrics)));
    }

    /// <summary>What the recipes say goes to the log file; on the screen stand the warnings, and all of it with --verbose.</summary>
    private static Serilog.Core.Logger Details(Session session) => new LoggerConfiguration()
        .MinimumLevel.Debug().Enrich.With(new FileOnlyBelowWarning(session.IsVerbose)).WriteTo.Logger(session.Log).CreateLogger();
}
