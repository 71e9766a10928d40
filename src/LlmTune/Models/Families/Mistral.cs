namespace LlmTune.Models.Families;

/// <summary>Mistral: Llama without biases, with a sliding window in every layer where the config gives one.</summary>
public static class Mistral
{
    private const int DefaultWindow = 4096;   // of transformers, where config.json does not name it

    public static Family Family { get; } = new("mistral", "MistralForCausalLM", Read);

    private static ModelSpec Read(ConfigJson config)
    {
        var window = config.Names("sliding_window") ? config.Integer("sliding_window") : DefaultWindow;
        var defaults = new DecoderDefaults(Theta: 10_000, MaxPositions: 131_072, KeyValueHeads: 8);
        return DecoderConfig.Read(config, defaults, layer: (_, attention) => attention with { Window = window });
    }
}
