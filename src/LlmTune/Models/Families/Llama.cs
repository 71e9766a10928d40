namespace LlmTune.Models.Families;

/// <summary>Llama 2, 3 and 3.1+: plain decoder, optional biases, all rotary scalings.</summary>
public static class Llama
{
    public static Family Family { get; } = new("llama", "LlamaForCausalLM", Read);

    private static ModelSpec Read(ConfigJson config)
    {
        var bias = config.Flag("attention_bias", false);
        return DecoderConfig.Read(config, new DecoderDefaults(Theta: 10_000, MaxPositions: 2048), layer: (_, attention) => attention with
        {
            InputBias = bias,
            OutputBias = bias,
        });
    }
}
