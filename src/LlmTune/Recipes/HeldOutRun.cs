using System.Globalization;
using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Evaluation;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Training;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>Evaluation on the held-out documents in between steps; says and writes what comes out. With eval_strategy: no there is none.</summary>
internal sealed class HeldOutRun(Decoder model, Corpus corpus, TrainingConfig training, JsonLinesWriter metrics, ILogger log)
{
    private int _step = -1;

    /// <summary>The last loss; null where nothing has been evaluated.</summary>
    public double? Last { get; private set; }

    /// <summary>The loss after a step; null if that was not evaluated.</summary>
    public double? At(int step) => _step == step ? Last : null;

    public double? Run(int step, double epoch, CancellationToken cancel)
    {
        if (corpus.Eval.Length == 0 || training.EvalStrategy == EvalStrategy.No || _step == step || cancel.IsCancellationRequested) return Last;
        LossStatistics all;
        IReadOnlyDictionary<int, LossStatistics> bySource;
        try
        {
            (all, bySource) = HeldOut.Loss(model, RowBatches.All(corpus, corpus.EvalPlan(), training.PerDeviceEvalBatchSize), cancel: cancel);
        }
        catch (OperationCanceledException)
        {
            return Last;   // what has been learnt is still written
        }
        (_step, Last) = (step, all.Loss);
        var line = new JsonObject { ["step"] = step, ["epoch"] = Math.Round(epoch, 6), ["eval_loss"] = all.Loss, ["eval_perplexity"] = all.Perplexity };
        if (bySource.Count > 1)
            foreach (var (source, statistics) in bySource.OrderBy(s => s.Key)) line[$"eval_{corpus.Labels[source]}_loss"] = statistics.Loss;
        metrics.Write(line);
        var each = bySource.Count < 2 ? "" : string.Create(CultureInfo.InvariantCulture,
            $" ({string.Join(", ", bySource.OrderBy(s => s.Key).Select(s => string.Create(CultureInfo.InvariantCulture, $"{corpus.Labels[s.Key]} {s.Value.Loss:F4}")))})");
        log.Information("{When}: held-out loss {Loss:F4}{Each}, perplexity {Perplexity:F3} on {Documents:N0} documents",
            step == 0 ? "before training" : $"after step {step}", all.Loss, each, all.Perplexity, all.Documents);
        return Last;
    }
}
