using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmTune.Adapters;

/// <summary>
/// What init_lora_weights of an adapter_config.json means for somebody who loads the adapter. Most ways only choose the first numbers,
/// which the folder's have replaced. Some take from the base what they put into the adapter, so that the adapter goes with a base
/// that is not the one it names.
/// </summary>
internal static class PeftInitialization
{
    private const string Saved = "the adapter goes with a changed base: save it with PEFT's save_pretrained(…, path_initial_model_for_weight_conversion=…), which makes an ordinary adapter of it";

    private static readonly (string Name, bool Prefix, string? Refused, string? Note)[] Known =
    [
        ("gaussian", false, null, null),
        ("eva", false, null, null),
        ("orthogonal", false, null, null),
        ("mica", false, null, "init_lora_weights mica: B was frozen while A was trained; trained on here, both are"),
        ("lora_ga", false, null,
            "init_lora_weights lora_ga: it was trained beside a base that LoRA-GA had changed; unless it was saved with path_initial_model_for_weight_conversion its results differ from those in training, as with PEFT"),
        ("pissa", true, Saved, null),
        ("olora", false, Saved, null),
        ("corda", true, Saved, null),
        ("loftq", false, "the adapter goes with the quantized base that LoftQ made, not with the one that it names: merge it there", null),
    ];

    /// <returns>Why it cannot be read, or what should be known about it; null: nothing.</returns>
    public static (string? Refused, string? Note) Of(JsonNode? value)
    {
        if (value is null || value.GetValueKind() is JsonValueKind.True or JsonValueKind.False) return (null, null);
        var name = value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : value.ToJsonString();
        foreach (var (known, prefix, refused, note) in Known)
        {
            if (name.Equals(known, StringComparison.OrdinalIgnoreCase) || (prefix && name.StartsWith(known, StringComparison.OrdinalIgnoreCase)))
                return (refused is null ? null : $"init_lora_weights {name}: {refused}", note);
        }
        return ($"init_lora_weights {name} is not known: it may go with a changed base; known are true, false, {string.Join(", ", Known.Select(k => k.Name))}", null);
    }
}
