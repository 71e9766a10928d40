using System.Globalization;
using LlmTune.Data;

namespace LlmTune.Recipes;

/// <summary>
/// What a run will take of its data, said before its first step: the share of each source, and what would be gone through far too often.
/// </summary>
internal static class DataOutlook
{
    /// <summary>More passes than this over the same rows are learnt by heart.</summary>
    private const int ManyPasses = 10;

    /// <summary>What an epoch takes of each source; null where there is one only.</summary>
    public static string? Shares(Corpus corpus, EpochPlan plan) => corpus.Training.Count < 2
        ? null
        : $"An epoch takes {RealisedShares.Say(corpus.Labels, RowBatches.Shares(corpus, plan, 0, plan.Rows))}";

    /// <param name="steps">Optimizer steps of the run.</param>
    /// <param name="stepsPerEpoch">Of the first epoch.</param>
    public static IEnumerable<string> Warnings(RunConfig config, Corpus corpus, EpochPlan plan, int steps, int stepsPerEpoch)
    {
        if (plan.LeftOut is ( > 0 and var rows, var tokens))
        {
            yield return Say($"{rows:N0} of {rows + plan.Rows:N0} rows ({tokens:N0} tokens) are left out of the first epoch: where data.packing: wrapped cut them, they hold no token to train on; ")
                + "raise data.max_length, or lay whole examples into rows (data.packing: true)";
        }
        var shares = RowBatches.Shares(corpus, plan, 0, plan.Rows);
        for (var s = 0; s < shares.Length; s++)
        {
            var documents = corpus.Training[s].Length;
            if (documents == 0 || shares[s].Documents <= (long)ManyPasses * documents) continue;
            yield return Say($"{corpus.Labels[s]}: its {documents:N0} documents are gone through {(double)shares[s].Documents / documents:F0} times an epoch, to hold the weights; ")
                + "lower its weight, set its max_repeats, or data.mixing: first_exhausted";
        }
        foreach (var (source, trained) in corpus.Labels.Zip(corpus.Training))
        {
            var isHeldOut = corpus.Eval.Any(document => corpus.Labels[corpus.SourceOf(document)] == source);
            if (config.Data.Eval is { Sources: null } && trained.Length > 0 && corpus.Training.Count > 1 && !isHeldOut)
                yield return Say($"{source}: none of its {trained.Length:N0} documents is held out; a larger data.eval.fraction would show its loss too");
        }
        if (Few(config, corpus, plan, steps, stepsPerEpoch) is { } few) yield return few;
        var training = config.Training;
        if (training.LearningRate > 0 && Enumerable.Range(0, steps).All(step => training.ScheduleOf(steps).At(step) == 0))
            yield return Say($"the learning rate is 0 in each of the {steps:N0} steps: all of them warm up; take more steps, or training.warmup_steps: 0");
        var epochs = (double)steps / Math.Max(stepsPerEpoch, 1);
        if (config.Training.MaxSteps > 0 && epochs > ManyPasses)
        {
            var documents = corpus.Training.Sum(t => (long)t.Length);
            yield return Say($"training.max_steps {steps:N0} are {epochs:F0} epochs of {documents:N0} documents, {stepsPerEpoch:N0} steps each: ")
                + "the data is far too small for so many; lower max_steps, or add data";
        }
    }

    /// <summary>So few steps that little is learnt, and what makes more of them; null where there are enough, or their number was asked for.</summary>
    private static string? Few(RunConfig config, Corpus corpus, EpochPlan plan, int steps, int stepsPerEpoch)
    {
        var training = config.Training;
        if (steps >= StarterFit.FewestSteps || training.MaxSteps > 0) return null;
        var documents = RowBatches.Shares(corpus, plan, 0, plan.Rows).Sum(share => share.Documents);
        var aStep = (double)documents / Math.Max(stepsPerEpoch, 1);
        var rows = training.PerDeviceTrainBatchSize * training.GradientAccumulationSteps;
        var wanted = Math.Clamp((int)(documents * training.NumTrainEpochs / StarterFit.FewestSteps), 1, 8);
        List<string> more = [];
        if (!plan.Joined && aStep > wanted * 1.5 && documents > plan.Rows)
            more.Add(Say($"data.packing: false with training.per_device_train_batch_size: {wanted} and gradient_accumulation_steps: 1"));
        else if (rows > 1 && (plan.Joined || aStep > wanted))
            more.Add(Say($"training.per_device_train_batch_size: {Math.Max(1, (int)(rows * wanted / Math.Max(aStep, wanted)))} and gradient_accumulation_steps: 1"));
        var epochs = (int)Math.Ceiling(StarterFit.FewestSteps / Math.Max((double)steps / training.NumTrainEpochs, 1e-9) / Math.Max(1, more.Count == 0 ? 1 : aStep / wanted));
        if (epochs > training.NumTrainEpochs) more.Add(Say($"training.num_train_epochs: {epochs}"));
        var what = plan.Joined ? Say($"{rows:N0} {(rows == 1 ? "row" : "rows")}") : Say($"{aStep:N0} {(aStep < 1.5 ? "document" : "documents")}");
        return Say($"only {steps:N0} {(steps == 1 ? "step" : "steps")}, each of about {what}: fewer than some {StarterFit.FewestSteps} teach little; ")
            + $"make more of them by {string.Join(", and ", more)}";
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
