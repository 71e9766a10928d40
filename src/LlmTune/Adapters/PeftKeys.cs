using System.Text.Json.Nodes;

namespace LlmTune.Adapters;

/// <summary>What becomes of a key of adapter_config.json.</summary>
internal enum PeftKeyUse
{
    /// <summary>It says what the adapter is.</summary>
    Read,

    /// <summary>Whatever it says, the adapter computes the same.</summary>
    NoEffect,

    /// <summary>Every value but its default makes another adapter of it, which is not built.</summary>
    DefaultOnly,
}

/// <param name="Default">PEFT's, as JSON.</param>
/// <param name="Meaning">In a message: what a value asks for.</param>
internal sealed record PeftKey(string Name, PeftKeyUse Use, string Default, string Meaning)
{
    /// <summary>The keys that PEFT 0.21 writes for LoRA, and older releases wrote.</summary>
    public static IReadOnlyList<PeftKey> All { get; } =
    [
        new("peft_type", PeftKeyUse.Read, "\"LORA\"", "the method"),
        new("r", PeftKeyUse.Read, "8", "rank of the update"),
        new("lora_alpha", PeftKeyUse.Read, "8", "numerator of the scaling"),
        new("lora_dropout", PeftKeyUse.Read, "0.0", "share of the adapter's inputs that is dropped in training"),
        new("target_modules", PeftKeyUse.Read, "null", "which modules are adapted; without it q_proj and v_proj, as PEFT has it for these families"),
        new("exclude_modules", PeftKeyUse.Read, "null", "which of these are left alone"),
        new("use_rslora", PeftKeyUse.Read, "false", "scaling by the root of the rank"),
        new("layers_to_transform", PeftKeyUse.Read, "null", "only layers with these numbers"),
        new("layers_pattern", PeftKeyUse.Read, "null", "what stands before a layer's number"),
        new("rank_pattern", PeftKeyUse.Read, "{}", "ranks of single modules"),
        new("alpha_pattern", PeftKeyUse.Read, "{}", "numerators of single modules"),
        new("modules_to_save", PeftKeyUse.Read, "null", "modules that are trained whole"),
        new("bias", PeftKeyUse.Read, "\"none\"", "which biases are trained"),
        new("lora_bias", PeftKeyUse.Read, "false", "a bias in the update"),
        new("ensure_weight_tying", PeftKeyUse.Read, "false", "tied ends stay tied"),
        new("init_lora_weights", PeftKeyUse.Read, "true", "how the first numbers came to be; some ways change the base too"),
        new("base_model_name_or_path", PeftKeyUse.Read, "null", "the base model"),

        new("auto_mapping", PeftKeyUse.NoEffect, "null", "Python's classes"),
        new("inference_mode", PeftKeyUse.NoEffect, "false", "whether PEFT loads it frozen"),
        new("peft_version", PeftKeyUse.NoEffect, "null", "which release wrote the file"),
        new("revision", PeftKeyUse.NoEffect, "null", "which revision of the base"),
        new("task_type", PeftKeyUse.NoEffect, "null", "the class that PEFT wraps around the model"),
        new("runtime_config", PeftKeyUse.NoEffect, "null", "where tensors lie while it runs"),
        new("corda_config", PeftKeyUse.NoEffect, "null", "settings of init_lora_weights corda"),
        new("eva_config", PeftKeyUse.NoEffect, "null", "settings of init_lora_weights eva"),
        new("loftq_config", PeftKeyUse.NoEffect, "{}", "settings of init_lora_weights loftq"),
        new("lora_ga_config", PeftKeyUse.NoEffect, "null", "settings of init_lora_weights lora_ga"),
        new("velora_config", PeftKeyUse.DefaultOnly, "null", "VeLoRA's backward pass"),
        new("megatron_core", PeftKeyUse.NoEffect, "\"megatron.core\"", "which module of Megatron megatron_config means"),
        new("qalora_group_size", PeftKeyUse.NoEffect, "16", "settings of use_qalora"),
        new("fan_in_fan_out", PeftKeyUse.NoEffect, "false", "matrices stored the other way round; PEFT sets it to false for linear layers, which all of these models have"),
        new("enable_lora", PeftKeyUse.NoEffect, "null", "of PEFT 0.1"),
        new("merge_weights", PeftKeyUse.NoEffect, "false", "of PEFT 0.1"),

        new("use_dora", PeftKeyUse.DefaultOnly, "false", "DoRA (a magnitude for each output)"),
        new("trainable_token_indices", PeftKeyUse.DefaultOnly, "null", "single rows of the embedding that are trained"),
        new("target_parameters", PeftKeyUse.DefaultOnly, "null", "adapters of parameters that are no modules"),
        new("layer_replication", PeftKeyUse.DefaultOnly, "null", "layers that are repeated"),
        new("use_qalora", PeftKeyUse.DefaultOnly, "false", "QALoRA"),
        new("use_bdlora", PeftKeyUse.DefaultOnly, "null", "block-diagonal LoRA"),
        new("alora_invocation_tokens", PeftKeyUse.DefaultOnly, "null", "activated LoRA (only behind certain tokens)"),
        new("arrow_config", PeftKeyUse.DefaultOnly, "null", "routing between several adapters"),
        new("megatron_config", PeftKeyUse.DefaultOnly, "null", "Megatron's parallel layers"),
        new("kasa_config", PeftKeyUse.DefaultOnly, "null", "KaSA (singular values between A and B)"),
        new("monteclora_config", PeftKeyUse.DefaultOnly, "null", "Monte Carlo LoRA"),
    ];

    public static PeftKey? Find(string name) => All.FirstOrDefault(key => key.Name == name);

    /// <summary>Whether a value says nothing: null, false, empty, or the default.</summary>
    public bool IsDefault(JsonNode? value) => IsNothing(value) || JsonNode.DeepEquals(value, JsonNode.Parse(Default));

    /// <summary>null, false, "", [] or {}.</summary>
    public static bool IsNothing(JsonNode? value) => value switch
    {
        null or JsonArray { Count: 0 } or JsonObject { Count: 0 } => true,
        JsonValue single => single.GetValueKind() is System.Text.Json.JsonValueKind.False || (single.TryGetValue<string>(out var text) && text.Length == 0),
        _ => false,
    };
}
