namespace LlmTune.Adapters;

/// <summary>What kind of adapter, and how it is laid over the model.</summary>
public abstract record AdapterConfig;

/// <summary>LoRA by PEFT's names.</summary>
public sealed record LoraConfig : AdapterConfig
{
    /// <summary>Rank of the update.</summary>
    public int Rank { get; init; } = 16;

    /// <summary>Numerator of the scaling; null: twice the rank.</summary>
    public double? Alpha { get; init; }

    /// <summary>Share of the adapter's input that is dropped in training.</summary>
    public double Dropout { get; init; }

    /// <summary>Which linear layers are adapted.</summary>
    public ModuleSelector TargetModules { get; init; } = ModuleSelector.AllLinear;

    /// <summary>Which of them are left out.</summary>
    public ModuleSelector? ExcludeModules { get; init; }

    /// <summary>Scaling by α / √r instead of α / r.</summary>
    public bool UseRsLora { get; init; }
}
