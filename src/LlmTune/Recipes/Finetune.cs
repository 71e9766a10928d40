using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Tokenization;
using LlmTune.Training;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>How a run ended.</summary>
/// <param name="Folder">The run folder.</param>
/// <param name="Interrupted">True if it was stopped before its last step; what it had learnt until then is written.</param>
public sealed record FinetuneResult(RunFolder Folder, int Steps, double? FirstEvalLoss, double? LastEvalLoss, bool Interrupted);

/// <summary>The story of a fine-tuning run, from a run file to a run folder.</summary>
public static class Finetune
{
    /// <summary>So many steps in a row without finite gradients end the run.</summary>
    private const int MostSkipped = 5;

    private const string Cure = "lower training.learning_rate, or set model.dtype: float32";

    /// <param name="force">Replaces a run that is in the output folder.</param>
    /// <param name="onStep">Hears after every step that is logged.</param>
    /// <param name="onProgress">Hears how far reading and tokenizing has come.</param>
    /// <param name="cancel">Stops after the step that is running; what it has learnt is written all the same.</param>
    public static FinetuneResult Run(
        RunConfig config, bool force, ILogger log, Action<StepMetrics>? onStep = null, IProgress<DataProgress>? onProgress = null, CancellationToken cancel = default)
    {
        config = config.Resolved();
        var training = config.Training;
        RunFolder.RequireFree(config, force);
        using var plan = RunPlan.Make(config, log, onProgress, cancel);
        var (folder, device, type, corpus, total) = (plan.Folder, plan.Device, plan.Type, plan.Corpus, plan.Steps);

        using var model = plan.LoadModel();
        log.LeftOut(folder);
        using var adapters = plan.Adapt(model);
        foreach (var note in adapters?.Notes ?? []) log.Note(note);
        if (plan.OtherBase() is { } other)
            log.Warning("the adapter was trained on {Base}, and this run's model is {Model}: if that is another model, it goes on from nonsense", other, folder.Name);
        var tensors = adapters?.Tensors.Select(tensor => tensor.Tensor) ?? model.Tensors.Where(tensor => tensor.Trainable);
        var trainable = tensors.Sum(tensor => tensor.Value.numel());
        var method = adapters is null
            ? $"Training {config.Model.Trainable} of the model"
            : $"LoRA r {adapters.Plan.Rank}, alpha {adapters.Plan.Alpha} on {adapters.Adapters.Count()} layers{Copies(adapters)}";
        log.Information("{Method}: {Trainable:N0} trainable parameters, {Share:F2} % of the model", method, trainable, 100.0 * trainable / folder.Spec.Parameters);

        foreach (var finding in RunData.Audit(plan.Tokenizer, plan.Template, corpus, folder, Embeddings(model, adapters)))
            log.Warning("{Check}: {Problem}\n  → {Remedy}", finding.Check, finding.Problem, finding.Remedy);

        var recomputed = plan.Memory(trainable).Recomputed;
        log.Information("{Steps:N0} steps of {Rows:N0} rows of up to {Length:N0} tokens, {Fill:P0} filled{Recomputed}",
            total, plan.Shape.RowsPerStep, corpus.MaxLength, plan.Batches.Plan.Fill,
            recomputed > 0 ? $"; {recomputed} of {folder.Spec.Blocks.Count} blocks are recomputed in the backward pass" : "");

        using var optimizer = new AdamW(
            FlatParameters.Group(tensors, training.WeightDecay),
            training.AdamBeta1, training.AdamBeta2, training.AdamEpsilon);
        var trainer = new Trainer(model, optimizer, training.MaxGradNorm, recomputed, training.Seed, sources: corpus.Training.Count);
        cancel.ThrowIfCancellationRequested();   // nothing has been learnt yet that would be worth another run's place
        var run = RunFolder.Create(config, force, Facts(folder, device, type, corpus, trainable, total));
        var replaced = run.Replaced;
        if (replaced.Count > 0)
            log.Information("Put aside {Until}: {Runs}", force ? "until this run is whole" : "by an earlier run, and left there", ReplacedRuns.Say(replaced));
        var whole = false;
        try
        {
            var result = Learn(run, new Parts(plan, model, adapters, optimizer, trainer), log, onStep, cancel);
            whole = !result.Interrupted;
            if (whole && run.Finish() is { Count: > 0 } gone) log.Information("Replaced by this run and deleted: {Runs}", ReplacedRuns.Say(gone));
            return result;
        }
        finally
        {
            if (!whole && replaced.Count > 0) log.Warning("this run did not get to its end; what it was to replace is still there: {Runs}", ReplacedRuns.Say(replaced));
        }
    }

    /// <summary>What a run works with.</summary>
    private sealed record Parts(RunPlan Plan, Decoder Model, AdapterSet? Adapters, AdamW Optimizer, Trainer Trainer);

    /// <summary>Trains, and writes what was learnt, also where training was interrupted or failed.</summary>
    private static FinetuneResult Learn(RunFolder run, Parts parts, ILogger log, Action<StepMetrics>? onStep, CancellationToken cancel)
    {
        var (plan, corpus, applied) = (parts.Plan, parts.Plan.Corpus, parts.Optimizer);
        using var metrics = JsonLinesWriter.Append(run.Metrics);
        var evaluation = new HeldOutRun(parts.Model, corpus, plan.Config.Training, metrics, log);
        var first = evaluation.Run(0, 0, cancel);
        var realised = new RealisedShares(corpus.Labels.Take(corpus.Training.Count));
        var tally = new StepTally(realised);
        var (steps, interrupted) = (0, false);
        try
        {
            (steps, interrupted) = Loop(plan, parts.Trainer, evaluation, tally, metrics, log, onStep, cancel);
        }
        catch (Exception e) when (applied.Steps > 0 && e is not OperationCanceledException)
        {
            if (Ruin.Of(parts.Model, applied.Groups, tally.Sound) is { } ruin) throw new RunException($"{e.Message}\n  → {ruin}: nothing of this run is kept but {run.Metrics}", e);
            try
            {
                Save(run, plan, parts.Model, parts.Adapters, log);
            }
            catch (Exception inner) when (inner is not OperationCanceledException)
            {
                throw new RunException($"{e.Message}\n  → and what was learnt before that could not be written: {inner.Message}", e);
            }
            throw new RunException($"{e.Message}\n  → what was learnt in {applied.Steps:N0} steps before that is in {run.Path}", e);
        }
        if (tally.Skipped > 0) log.Warning("{Skipped:N0} of {Steps:N0} steps were skipped: their loss or gradients were not finite", tally.Skipped, steps);
        if (steps > 0 && tally.Skipped == steps) throw new RunException($"none of the {steps:N0} steps had finite gradients, so nothing was learnt; {Cure}");
        var last = evaluation.At(steps);
        var isHeldOutSound = last is { } loss && double.IsFinite(loss);   // tells as much as a batch does
        if (applied.Steps > 0 && Ruin.Of(parts.Model, applied.Groups, isHeldOutSound ? null : tally.Sound) is { } ruined)
            throw new RunException($"after {steps:N0} steps {ruined}: nothing of this run is kept but {run.Metrics}; {Cure}");

        Save(run, plan, parts.Model, parts.Adapters, log);
        run.AddFact("ended", Ended(steps, tally.Skipped, interrupted, first, last));
        run.AddFact("trained_on", realised.ToJson());
        if (corpus.Training.Count > 1) log.Information("Trained on {Shares}", realised.Text);
        LossPlot.Write(run.Metrics, run.Losses, Path.GetFileName(Path.TrimEndingDirectorySeparator(run.Path)));
        AtomicFile.WriteText(run.Card, ModelCards.OfRun(plan.Config, plan.Folder, corpus, realised, steps, plan.Steps, first, last));
        return new FinetuneResult(run, steps, first, last, interrupted);
    }

    /// <summary>The loop: take a step's batches, train, log, evaluate.</summary>
    private static (int Steps, bool Interrupted) Loop(
        RunPlan plan, Trainer trainer, HeldOutRun evaluation, StepTally tally, JsonLinesWriter metrics, ILogger log,
        Action<StepMetrics>? onStep, CancellationToken cancel)
    {
        var (training, batches, total) = (plan.Config.Training, plan.Batches, plan.Steps);
        var schedule = training.ScheduleOf(total);
        var (window, clock) = (Stopwatch.StartNew(), Stopwatch.StartNew());
        Action? onLast = null;
        for (var step = 1; step <= total; step++)
        {
            if (cancel.IsCancellationRequested) return (step - 1, true);
            var next = batches.Next();
            var rate = schedule.At(step - 1);
            var result = trainer.Step(next.Micro, rate);
            tally.Add(next, result);
            if (!result.IsFinite) log.Warning("step {Step}: loss {Loss}, gradient norm {Norm}: not finite, the step is skipped", step, result.Loss, result.GradientNorm);
            if (tally.SkippedInARow == MostSkipped) throw new RunException($"{MostSkipped} steps in a row had no finite gradients; {Cure}");

            if (step % training.LoggingSteps == 0 || step == total)
            {
                var elapsed = window.Elapsed;
                var sums = tally.Take();
                var report = new StepMetrics
                {
                    Step = step,
                    TotalSteps = total,
                    Epoch = next.Progress,
                    Loss = sums.Loss,
                    SourceLosses = sums.SourceLosses,
                    LearningRate = rate,
                    GradientNorm = sums.GradientNorm,
                    Tokens = tally.Tokens,
                    Skipped = sums.Skipped,
                    TokensPerSecond = sums.Tokens / elapsed.TotalSeconds,
                    TimeLeft = clock.Elapsed / step * (total - step),
                    Memory = Devices.MemoryInUse(plan.Device),
                    EvalLoss = evaluation.Last,
                };
                metrics.Write(report.ToJson());
                // What stands on the screen in the end has the last evaluation in it.
                if (step == total) onLast = () => onStep?.Invoke(report with { EvalLoss = evaluation.Last });
                else onStep?.Invoke(report);
                window.Restart();
            }
            var epochEnds = next.Progress >= next.Epoch + 1 - 1e-9;
            var due = training.EvalStrategy switch
            {
                EvalStrategy.Steps => step % training.EvalSteps!.Value == 0,
                EvalStrategy.Epoch => epochEnds,
                _ => false,
            };
            if (!due && step != total) continue;
            window.Stop();
            clock.Stop();
            evaluation.Run(step, next.Progress, cancel);
            onLast?.Invoke();
            window.Start();
            clock.Start();
        }
        return (total, false);
    }

    private static string Copies(AdapterSet adapters)
    {
        var copies = adapters.Copies.CountBy(copy => $"{copy.Modules[0][(copy.Modules[0].LastIndexOf('.') + 1)..]}.{copy.Own}").Select(c => $"{c.Value} {c.Key}");
        return adapters.Copies.Count == 0 ? "" : $", and copies of {string.Join(", ", copies)}";
    }

    /// <summary>How the run ended, for run.json.</summary>
    private static JsonObject Ended(int steps, int skipped, bool interrupted, double? first, double? last) => new()
    {
        ["at"] = DateTimeOffset.UtcNow.ToString("O", CultureInfo.InvariantCulture),
        ["steps"] = steps,
        ["skipped_steps"] = skipped,
        ["interrupted"] = interrupted,
        ["first_eval_loss"] = first,
        ["last_eval_loss"] = last,
    };

    /// <summary>The input embeddings, for the audit of tokens.</summary>
    private static AuditEmbeddings Embeddings(Decoder model, AdapterSet? adapters)
    {
        var copied = adapters?.Copies.Any(copy => copy.Modules.Contains(model.Embedding.Name)) is true;
        return RunData.Embeddings(model.Embedding.Table.Value, frozen: !model.Embedding.Trainable && !copied);
    }

    /// <summary>Writes what was trained, with all that it needs to be used.</summary>
    private static void Save(RunFolder run, RunPlan plan, Decoder model, AdapterSet? adapters, ILogger log)
    {
        var files = ServingFiles.Of(plan);
        if (adapters is null)
        {
            AtomicFolder.Write(run.Model, replace: false, staged =>
            {
                ModelWriter.Write(staged, model, plan.Folder.Path, plan.Tokenizer.Folder);
                files.Complete(staged, log);
            });
            return;
        }
        AtomicFolder.Write(run.Adapter, replace: false, staged =>
        {
            AdapterFolder.Write(staged, adapters, model.Parts, Directory.Exists(plan.Folder.Name) ? Path.GetFullPath(plan.Folder.Path) : plan.Folder.Name);
            files.WriteBeside(staged, log);
        });
    }

    private static JsonObject Facts(ModelFolder folder, Device device, ScalarType type, Corpus corpus, long trainable, int steps) => new()
    {
        ["llmtune"] = typeof(Finetune).Assembly.GetName().Version!.ToString(3),
        ["libtorch"] = Libtorch.Info?.Version.ToString(3),
        ["started"] = DateTimeOffset.UtcNow.ToString("O", CultureInfo.InvariantCulture),
        ["device"] = device.ToString(),
        ["dtype"] = type.ToString().ToLowerInvariant(),
        ["base_model"] = new JsonObject
        {
            ["path"] = folder.Path,
            ["parameters"] = folder.Spec.Parameters,
            ["config_sha256"] = Hashes.OfFile(Path.Combine(folder.Path, "config.json")),
        },
        ["trainable_parameters"] = trainable,
        ["steps"] = steps,
        ["data"] = new JsonArray([.. corpus.Report.Sources.Select(source => (JsonNode)new JsonObject
        {
            ["label"] = source.Label,
            ["format"] = source.Format,
            ["rows"] = source.Rows,
            ["documents"] = source.Documents,
            ["held_out"] = source.Eval,
            ["tokens"] = source.Tokens,
            ["trained_tokens"] = source.Trained,
        })]),
    };
}
