using System.Globalization;
using System.Text;
using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;

namespace LlmTune.Recipes;

/// <summary>README.md of what a run leaves: what it was made from and what came out.</summary>
public static class ModelCards
{
    public static string OfRun(RunConfig config, ModelFolder folder, Corpus corpus, int steps, int total, double? before, double? after)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Line($"---");
        Line($"base_model: {folder.Name}");
        Line($"library_name: peft");
        Line($"tags: [llmtune, lora]");
        Line($"---");
        Line($"");
        Line($"# {Path.GetFileName(Path.TrimEndingDirectorySeparator(config.Training.OutputDir))}");
        Line($"");
        Line($"LoRA on `{folder.Name}` ({folder.Spec.Family}, {folder.Spec.Parameters:N0} parameters), {steps} of {total} steps.");
        if (before is { } first && after is { } last)
            Line($"Held-out loss {first:F4} before, {last:F4} after; perplexity {Math.Exp(first):F3} before, {Math.Exp(last):F3} after.");
        Line($"");
        if (config.Adapter is LoraConfig { Path: { } path })
            Line($"Goes on from `{path}`; learning rate {config.Training.LearningRate}.");
        else if (config.Adapter is LoraConfig lora)
            Line($"r {lora.Rank}, alpha {lora.Alpha}, dropout {lora.Dropout}, targets {lora.TargetModules}; learning rate {config.Training.LearningRate}.");
        Line($"");
        Line($"```");
        text.Append(corpus.Report.Table());
        Line($"```");
        Line($"");
        Line($"`adapter/` is a PEFT folder. `llmtune merge` makes a model folder of it, `llmtune eval` measures it; `run.yaml` has every setting.");
        return text.ToString();
    }
}
