namespace LlmTune.Models;

/// <summary>A family maps config.json to a <see cref="ModelSpec"/>.</summary>
/// <param name="ModelType">config.json's model_type.</param>
/// <param name="Architecture">The class with a language-model head, as in config.json's architectures.</param>
public sealed record Family(string ModelType, string Architecture, Func<ConfigJson, ModelSpec> Read);

/// <summary>Every family there is: a new one is one file and one line here.</summary>
public static class FamilyTable
{
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
        if (config.Texts("architectures") is [var architecture, ..] && architecture != family.Architecture)
            throw new UnsupportedModelException($"{config.File}: architecture '{architecture}' is not built; of {type} there is {family.Architecture}");
        if (config.Has("quantization_config"))
            throw new UnsupportedModelException($"{config.File}: quantization_config: models that are stored quantized are not built; take the unquantized model");
        return family.Read(config);
    }
}
