using System.Globalization;
using System.Text;
using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;

namespace LlmTune.Recipes;

/// <summary>README.md of what a run leaves: what it was made from and what came out.</summary>
public static class ModelCards
{
    public static string OfRun(RunConfig config, ModelFolder folder, Corpus corpus, RealisedShares realised, int steps, int total, double? before, double? after)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Line($"---");
        Line($"base_model: {folder.Name}");
        var lora = config.Adapter as LoraConfig;
        Line($"library_name: {(lora is null ? "transformers" : "peft")}");
        Line($"tags: [llmtune, {Tag(config)}]");
        Line($"---");
        Line($"");
        Line($"# {Path.GetFileName(Path.TrimEndingDirectorySeparator(config.Training.OutputDir))}");
        Line($"");
        Line($"{Method(config)} `{folder.Name}` ({folder.Spec.Family}, {folder.Spec.Parameters:N0} parameters), {steps} of {total} steps{(steps < total ? ": interrupted" : "")}.");
        if (before is { } first && after is { } last)
            Line($"Held-out loss {first:F4} before, {last:F4} after; perplexity {Math.Exp(first):F3} before, {Math.Exp(last):F3} after.");
        else if (before is { } only) Line($"Held-out loss {only:F4} before; not measured after the last step.");
        Line($"");
        Line($"![Training loss and held-out loss by step](loss.svg)");
        Line($"");
        if (lora is null) Line($"Learning rate {config.Training.LearningRate}; trained: {config.Model.Trainable}.");
        else if (lora.Path is { } path) Line($"Goes on from `{path}`; learning rate {config.Training.LearningRate}.");
        else Line($"r {lora.Rank}, alpha {lora.Alpha}, dropout {lora.Dropout}, targets {lora.TargetModules}; learning rate {config.Training.LearningRate}.");
        Line($"");
        Line($"```");
        text.Append(corpus.Report.Table());
        Line($"```");
        Line($"");
        if (corpus.Training.Count > 1) Line($"Trained on {realised.Text}.\n");
        Line($"{(lora is null
            ? "`model/` is a model folder that Transformers loads."
            : "`adapter/` is a PEFT folder. `llmtune merge` makes a model folder of it,")} `llmtune eval` measures it; `run.yaml` has every setting, `metrics.jsonl` the numbers of the picture.");
        return text.ToString();
    }

    private static string Tag(RunConfig config) =>
        config.Adapter is not null ? "lora" : config.Model.Init == ModelInit.Random ? "pretrained" : "full-fine-tuning";

    private static string Method(RunConfig config) =>
        config.Adapter is not null ? "LoRA on" : config.Model.Init == ModelInit.Random ? "Pretraining of the shape of" : "Full fine-tuning of";
}
