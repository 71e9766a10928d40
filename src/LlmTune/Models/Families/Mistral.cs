namespace LlmTune.Models.Families;

/// <summary>Mistral: Llama without biases, with a sliding window in every layer where the config gives one.</summary>
public static class Mistral
{
    public static Family Family { get; } = new("mistral", "MistralForCausalLM", Read);

    private static ModelSpec Read(ConfigJson config)
    {
        var window = config.Integer("sliding_window");
        return DecoderConfig.Read(config, new DecoderDefaults(Theta: 10_000, MaxPositions: 131_072), layer: (_, attention) => attention with { Window = window });
    }
}
