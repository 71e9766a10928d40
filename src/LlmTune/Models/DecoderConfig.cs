using LlmTune.Layers;

namespace LlmTune.Models;

/// <summary>What a family's configuration class has where config.json is silent.</summary>
/// <param name="HeadSize">Null: width / heads.</param>
/// <param name="KeyValueHeads">Null: as many as there are heads; also where config.json says null.</param>
public sealed record DecoderDefaults(double Theta, int MaxPositions, int? HeadSize = null, int? KeyValueHeads = null);

/// <summary>The part of config.json that Llama-like families share.</summary>
public static class DecoderConfig
{
    /// <param name="layer">Completes the attention of a layer: its index, and what the families share.</param>
    public static ModelSpec Read(ConfigJson config, DecoderDefaults defaults, Func<int, AttentionSpec, AttentionSpec> layer)
    {
        var activation = config.Text("hidden_act") ?? "silu";
        if (activation != "silu") throw new UnsupportedModelException($"{config.File}: hidden_act '{activation}' is not built; there is silu");
        if (config.Number("attention_dropout", 0) != 0)
            throw new UnsupportedModelException($"{config.File}: attention_dropout {config.Number("attention_dropout")} is not built; set it to 0.0");
        if (config.Number("partial_rotary_factor", 1) != 1 || config.Object("rope_parameters")?.Number("partial_rotary_factor", 1) is not (null or 1))
            throw new UnsupportedModelException($"{config.File}: partial_rotary_factor below 1 is not built for this family");

        var width = config.Size("hidden_size");
        var heads = config.Size("num_attention_heads");
        var keyValueHeads = config.Size("num_key_value_heads", config.Names("num_key_value_heads") ? heads : defaults.KeyValueHeads ?? heads);
        if (heads % keyValueHeads != 0) throw config.Wrong("num_key_value_heads", keyValueHeads, $"a divisor of num_attention_heads ({heads})");
        if (!config.Has("head_dim") && defaults.HeadSize is null && width % heads != 0)
            throw config.Wrong("hidden_size", width, $"a multiple of num_attention_heads ({heads}), or head_dim beside it");
        var headSize = config.Size("head_dim", defaults.HeadSize ?? width / heads);
        var maxPositions = config.Size("max_position_embeddings", defaults.MaxPositions);
        var epsilon = config.Number("rms_norm_eps", 1e-6);
        var attention = new AttentionSpec(heads, keyValueHeads, headSize, RopeConfig.Read(config, headSize, defaults.Theta, maxPositions));
        var layers = config.Size("num_hidden_layers");
        var inner = config.Size("intermediate_size");
        var innerBias = config.Flag("mlp_bias", false);
        return new ModelSpec
        {
            Family = config.Text("model_type")!,
            Vocabulary = config.Size("vocab_size"),
            Width = width,
            Blocks = [.. Enumerable.Range(0, layers).Select(index => new BlockSpec(layer(index, attention), inner, innerBias, epsilon))],
            NormEpsilon = epsilon,
            TiedHead = config.Flag("tie_word_embeddings", false),
            MaxPositions = RopeConfig.Reach(config, maxPositions),
            InitializerRange = config.Number("initializer_range", 0.02),
            EndTokens = config.Integers("eos_token_id"),
            PadToken = config.Integer("pad_token_id"),
            StoredType = (config.Text("dtype") ?? config.Text("torch_dtype")) switch
            {
                "bfloat16" => ScalarType.BFloat16,
                "float16" => ScalarType.Float16,
                "float32" => ScalarType.Float32,
                _ => null,
            },
        };
    }

    /// <summary>
    /// The sliding window of a layer, or null: transformers 5's layer_types where it is there, else windows from max_window_layers on;
    /// only where use_sliding_window is on (the older form keeps a number in sliding_window that must then be ignored).
    /// </summary>
    public static int? Window(ConfigJson config, int layer)
    {
        if (!config.Flag("use_sliding_window", false) || config.Integer("sliding_window") is not { } window) return null;
        if (config.Texts("layer_types") is { } types)
        {
            if (types.Count != config.Size("num_hidden_layers"))
                throw config.Wrong("layer_types", $"{types.Count} entries long", $"one for each of {config.Size("num_hidden_layers")} layers");
            return types[layer] switch
            {
                "full_attention" => null,
                "sliding_attention" => window,
                var other => throw new UnsupportedModelException($"{config.File}: layer_types '{other}' is not built; there are full_attention and sliding_attention"),
            };
        }
        return layer >= (config.Integer("max_window_layers") ?? 28) ? window : null;
    }
}
