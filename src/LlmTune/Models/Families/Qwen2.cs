namespace LlmTune.Models.Families;

/// <summary>Qwen2 and Qwen2.5: biases on q, k and v; a sliding window in some layers where the config switches it on.</summary>
public static class Qwen2
{
    public static Family Family { get; } = new("qwen2", "Qwen2ForCausalLM", Read);

    private static ModelSpec Read(ConfigJson config) =>
        DecoderConfig.Read(config, new DecoderDefaults(Theta: 10_000, MaxPositions: 32_768, KeyValueHeads: 32), layer: (index, attention) => attention with
        {
            InputBias = true,
            Window = DecoderConfig.Window(config, index),
        });
}
