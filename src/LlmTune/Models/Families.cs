namespace LlmTune.Models;

/// <summary>A family maps config.json to a <see cref="ModelSpec"/>.</summary>
/// <param name="ModelType">config.json's model_type.</param>
/// <param name="Architecture">The class with a language-model head, as in config.json's architectures.</param>
public sealed record Family(string ModelType, string Architecture, Func<ConfigJson, ModelSpec> Read);

/// <summary>Every family there is: a new one is one file and one line here.</summary>
public static class FamilyTable
{
    private static readonly string[] OtherHeads =
        ["ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice", "ForConditionalGeneration", "ForMaskedLM", "RewardModel"];

    public static IReadOnlyList<Family> All { get; } =
    [
        Families.Llama.Family,
        Families.Mistral.Family,
        Families.Qwen2.Family,
        Families.Qwen3.Family,
    ];

    /// <exception cref="UnsupportedModelException">Another family, or a head that is not a language model's.</exception>
    public static ModelSpec Read(ConfigJson config)
    {
        var type = config.Text("model_type") ?? throw new RequestException($"{config.File}: model_type is missing; it names the family, as \"llama\"");
        var family = All.FirstOrDefault(family => family.ModelType == type)
            ?? throw new UnsupportedModelException($"{config.File}: model_type '{type}' is not built; there are {string.Join(", ", All.Select(f => f.ModelType))}");
        RequireLanguageModel(config, family);
        RequireUnquantized(config);
        return family.Read(config);
    }

    /// <summary>
    /// model_type says what the model is, as in transformers; architectures names a class, by whatever name (LLaMAForCausalLM, LlamaModel, one of
    /// somebody's own). Only a class that has another head than a language model's is refused.
    /// </summary>
    private static void RequireLanguageModel(ConfigJson config, Family family)
    {
        if (config.Texts("architectures") is [var architecture, ..] && Array.Exists(OtherHeads, head => architecture.EndsWith(head, StringComparison.Ordinal)))
            throw new UnsupportedModelException($"{config.File}: architecture '{architecture}' is not built, its head is no language model's; of {family.ModelType} there is {family.Architecture}");
    }

    private static void RequireUnquantized(ConfigJson config)
    {
        if (config.Object("quantization_config") is { } quantization && !IsOff(quantization))
            throw new UnsupportedModelException($"{config.File}: quantization_config: models that are stored quantized are not built; take the unquantized model");
        if (config.Object("quantization") is { IsEmpty: false } ofMlx && ofMlx.Has("bits"))
            throw new UnsupportedModelException($"{config.File}: quantization: the model is quantized by MLX; take the unquantized one, or undo it there (mlx_lm.convert --dequantize)");
    }

    /// <summary>A section that is left over from a run of bitsandbytes, with nothing switched on.</summary>
    private static bool IsOff(ConfigJson quantization) =>
        quantization.Text("quant_method") is null or "" or "none" or "bitsandbytes"
        && !quantization.Flag("load_in_4bit", false) && !quantization.Flag("load_in_8bit", false) && !quantization.Has("bits");
}
