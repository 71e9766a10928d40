namespace LlmTune.Models.Families;

/// <summary>Qwen3: norms of each head's queries and keys, a head size of its own, biases only where the config says so.</summary>
public static class Qwen3
{
    public static Family Family { get; } = new("qwen3", "Qwen3ForCausalLM", Read);

    private static ModelSpec Read(ConfigJson config)
    {
        var bias = config.Flag("attention_bias", false);
        var epsilon = config.Number("rms_norm_eps", 1e-6);
        return DecoderConfig.Read(config, new DecoderDefaults(Theta: 10_000, MaxPositions: 32_768, HeadSize: 128, KeyValueHeads: 32), layer: (index, attention) => attention with
        {
            InputBias = bias,
            OutputBias = bias,
            QueryKeyNorm = epsilon,
            Window = DecoderConfig.Window(config, index),
        });
    }
}
