using LlmTune.Config;

namespace LlmTune.Adapters;

/// <summary>How a model is adapted. The names are PEFT's.</summary>
[Variant("lora", typeof(LoraConfig))]
public abstract record AdapterConfig;

/// <summary>Which of the base's biases are trained, by PEFT's names.</summary>
public enum BiasTraining
{
    [Key("none")] None,

    /// <summary>Of every layer that has one.</summary>
    [Key("all")] All,

    /// <summary>Of the adapted layers.</summary>
    [Key("lora_only")] LoraOnly,
}

/// <summary>Low-rank updates: W + s·B·A with s = alpha / r (arXiv:2106.09685).</summary>
public sealed record LoraConfig : AdapterConfig, ISettingRules
{
    private readonly double? _alpha;

    [Key("path"), Path, Doc("go on from this run or adapter folder; all else about the adapter is as it says", Example = "out/first")]
    public string? Path { get; init; }

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

    [Key("layers_to_transform"), Form(typeof(OneOrMoreForm<int>)), Doc("only layers with these numbers, from 0", Example = "[22, 23]")]
    public ValueList<int>? LayersToTransform { get; init; }

    [Key("layers_pattern"), Form(typeof(OneOrMoreForm<string>)), Doc("what stands before a layer's number in a module's name; without it the first number counts", Example = "layers")]
    public ValueList<string>? LayersPattern { get; init; }

    [Key("rank_pattern"), Form(typeof(PatternForm<int>)), Doc("other ranks by regular expression over names; the first that matches wins", Example = "{ down_proj: 32 }")]
    public ValueList<(string Pattern, int Value)>? RankPattern
    {
        get;
        init => field = Require.That(value?.All(entry => entry.Value >= 1) is not false, "ranks of at least 1", value);
    }

    [Key("alpha_pattern"), Form(typeof(PatternForm<double>)), Doc("other lora_alpha in the same way", Example = "{ down_proj: 64 }")]
    public ValueList<(string Pattern, double Value)>? AlphaPattern
    {
        get;
        init => field = Require.That(value?.All(entry => entry.Value > 0) is not false, "numbers above 0", value);
    }

    [Key("modules_to_save"), Doc("modules that are trained whole, as copies, by the end of their names", Example = "[embed_tokens, lm_head]")]
    public ValueList<string>? ModulesToSave { get; init; }

    [Key("ensure_weight_tying"), Doc("where embedding and head share their matrix, training one trains both; without it they part")]
    public bool EnsureWeightTying { get; init; }

    [Key("bias"), Doc("which biases of the base are trained, as copies")]
    public BiasTraining Bias { get; init; }

    [Key("lora_bias"), Doc("a bias in the update too")]
    public bool LoraBias { get; init; }

    [Key("use_rslora"), Doc("scale by lora_alpha / √r, for high ranks (arXiv:2312.03732)")]
    public bool UseRsLora { get; init; }

    IEnumerable<(string Setting, string Problem)> ISettingRules.Broken()
    {
        var untouched = new LoraConfig();
        untouched = untouched with { Alpha = untouched.Alpha };   // said or not, the default is the default
        if (Path is not null && this with { Path = null, Alpha = Alpha } != untouched)
            yield return ("path", "goes on with an adapter as it is; leave out the other settings of the adapter");
        if (LayersPattern is not null && LayersToTransform is null)
            yield return ("layers_pattern", "says where layers_to_transform finds a layer's number; set both or none");
        if (LayersToTransform is not null && TargetModules is ModuleSelector.Pattern)
            yield return ("layers_to_transform", "goes with a list of target_modules; a regular expression names its layers itself");
    }
}
