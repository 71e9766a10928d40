using LlmTune.Config;

namespace LlmTune.Adapters;

/// <summary>How a model is adapted. The names are PEFT's.</summary>
[Variant("lora", typeof(LoraConfig))]
public abstract record AdapterConfig;

/// <summary>Low-rank updates: W + s·B·A with s = alpha / r (arXiv:2106.09685).</summary>
public sealed record LoraConfig : AdapterConfig
{
    private readonly double? _alpha;

    [Key("r"), Doc("rank of the update; higher learns more and takes more memory")]
    public int Rank { get; init => field = Require.AtLeast(1, value); } = 16;

    [Key("lora_alpha"), Doc("the update is scaled by lora_alpha / r", Default = "2 r")]
    public double Alpha { get => _alpha ?? 2.0 * Rank; init => _alpha = Require.Positive(value); }

    [Key("lora_dropout"), Doc("share of the adapter's inputs that is dropped in training")]
    public double Dropout { get; init => field = Require.Share(value); }

    [Key("target_modules"), Form(typeof(ModuleSelectorForm)), Doc("all-linear, a list of names, or a regular expression")]
    public ModuleSelector TargetModules { get; init; } = ModuleSelector.AllLinear;

    [Key("exclude_modules"), Form(typeof(ModuleSelectorForm)), Doc("of these, which to leave alone", Example = "[lm_head]")]
    public ModuleSelector? ExcludeModules { get; init; }

    [Key("use_rslora"), Doc("scale by lora_alpha / √r, for high ranks (arXiv:2312.03732)")]
    public bool UseRsLora { get; init; }
}
