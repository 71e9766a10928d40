using System.CommandLine;
using LlmTune.Cli.Terminal;
using LlmTune.Native;
using LlmTune.Recipes;
using LlmTune.Training;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune train</c>: a run file becomes a run folder.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var config = new Argument<string>("run.yaml") { Description = "run file, see configs/ and llmtune init; LLaMA-Factory's and axolotl's are translated" };
        var overrides = new Argument<string[]>("settings") { Description = "settings to change: adapter.r=4 learning_rate=1e-5", Arity = ArgumentArity.ZeroOrMore };
        var force = new Option<bool>("--force") { Description = "replace a run that is in the output folder" };
        var dry = new Option<bool>("--dry-run") { Description = "show parameters, data, steps and memory; write nothing" };
        var command = new Verb("train", "fine-tune a model as a run file says",
            "train configs/lora.yaml",
            "train run.yaml learning_rate=1e-4 adapter.r=8 max_steps=20",
            "train configs/full.yaml --dry-run")
        {
            config, overrides, dry, force,
        };
        command.SetAction(args => Run(args.GetValue(config)!, args.GetValue(overrides) ?? [], args.GetValue(dry), args.GetValue(force), args.Session()));
        return command;
    }

    private static int Run(string file, string[] overrides, bool dry, bool force, Session session)
    {
        var config = RunFiles.Read(file, overrides, session);
        Libtorch.Load();
        if (dry) return DryRun.Show(config, force, session);
        session.Interrupt.Expect("writing what has been learnt after this step");
        FinetuneResult result;
        using (var view = new ProgressView(session, loggingSteps: 1))
            result = Finetune.Run(config, force, session.Log, metrics => view.Update(Step(metrics)), new Reading(view), session.Interrupt.Token);

        if (result is { FirstEvalLoss: { } before, LastEvalLoss: { } after })
            session.Log.Information("Held-out loss {Before:F4} before, {After:F4} after", before, after);
        if (result.Interrupted)
        {
            session.Log.Warning("Interrupted after step {Step}; what it had learnt until then is in {Folder}", result.Steps, result.Folder.Path);
            return Failures.Interrupted;
        }
        session.Log.Information("Wrote {Folder}", result.Folder.Path);
        var (folder, merged) = (ProgramPath.Quoted(result.Folder.Path), ProgramPath.Quoted(Path.TrimEndingDirectorySeparator(result.Folder.Path) + "-merged"));
        if (config.Adapter is null) session.Log.Information("Next: llmtune eval {Folder} --data FILE, or llmtune generate {Folder} --prompt TEXT", folder, folder);
        else session.Log.Information("Next: llmtune merge {Folder} --output {Merged}", folder, merged);
        return 0;
    }

    internal static ProgressStep Step(StepMetrics metrics) => new(metrics.Step, metrics.TotalSteps, metrics.Loss ?? double.NaN)
    {
        Epoch = metrics.Epoch,
        LearningRate = metrics.LearningRate,
        GradNorm = metrics.GradientNorm,
        EvalLoss = metrics.EvalLoss,
        SourceLosses = metrics.SourceLosses,
        TokensPerSecond = metrics.TokensPerSecond,
        Memory = (metrics.Memory, 0),
        TimeLeft = metrics.TimeLeft,
    };
}
