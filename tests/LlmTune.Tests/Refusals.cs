using System.Text.Json;
using LlmTune.Adapters;
using LlmTune.Config;
using LlmTune.Objectives;
using LlmTune.Training;

namespace LlmTune.Tests;

/// <summary>What the program says to settings and methods of other libraries: its own refusal, or null where it takes them.</summary>
internal static class Refusals
{
    /// <summary>Settings of theirs that have no counterpart, at the values that switch them off: as if they were not there.</summary>
    private static readonly Dictionary<string, string[]> Off = new(StringComparer.Ordinal)
    {
        ["optim_args"] = ["null"],
        ["label_smoothing_factor"] = ["0", "0.0"],
        ["bf16"] = ["false"],
        ["fp16"] = ["false"],
        ["neftune_noise_alpha"] = ["null"],
        ["loss_type"] = ["\"nll\""],
        ["load_best_model_at_end"] = ["false"],
    };

    /// <summary>A setting of transformers' TrainingArguments as a line of a run file's training section; empty where it is switched off.</summary>
    public static string Line(JsonProperty option) =>
        Off.TryGetValue(option.Name, out var off) && off.Contains(option.Value.GetRawText()) ? "" : $"{option.Name}: {option.Value.GetRawText()}\n";

    public static string? OfTraining(string lines) => Of<TrainingConfig>($"output_dir: out\n{lines}");

    public static string? OfAdapter(string setting) => Of<Goal>($"adapter: {{ type: lora, {setting} }}");

    /// <summary>Of a trainer, by the name of its objective.</summary>
    public static string? OfObjective(string type) => Of<Goal>($"objective: {{ type: {type} }}");

    /// <summary>Of a setting of supervised fine-tuning.</summary>
    public static string? OfSft(JsonProperty option) =>
        Line(option).Length == 0 ? null : Of<Goal>($"objective: {{ type: sft, {option.Name}: {option.Value.GetRawText()} }}");

    private static string? Of<T>(string yaml) where T : class
    {
        try
        {
            ConfigFile.Parse<T>(yaml, "options");
            return null;
        }
        catch (ConfigException e)
        {
            return e.Message;
        }
    }

    private sealed record Goal
    {
        [Key("objective"), Doc("what is minimised")]
        public ObjectiveConfig Objective { get; init; } = new SftConfig();

        [Key("adapter"), Doc("how the model is adapted")]
        public AdapterConfig? Adapter { get; init; }
    }
}
