using System.Globalization;
using System.Runtime.CompilerServices;
using LlmTune.Config;

namespace LlmTune.Training;

/// <summary>How the learning rate goes from its highest value, reached after the warm-up.</summary>
public enum LrSchedulerType
{
    [Key("constant")] Constant,
    [Key("constant_with_warmup")] ConstantWithWarmup,
    [Key("linear")] Linear,
    [Key("cosine")] Cosine,
    [Key("cosine_with_restarts")] CosineWithRestarts,
    [Key("cosine_with_min_lr")] CosineWithMinLr,
    [Key("cosine_warmup_with_min_lr")] CosineWarmupWithMinLr,
    [Key("polynomial")] Polynomial,
    [Key("inverse_sqrt")] InverseSqrt,
    [Key("warmup_stable_decay")] WarmupStableDecay,
}

/// <summary>The shape of a rise or a fall.</summary>
public enum DecayType
{
    [Key("linear")] Linear,
    [Key("cosine")] Cosine,
    [Key("1-sqrt")] OneMinusRoot,
}

/// <summary>What a schedule can be told: transformers' lr_scheduler_kwargs. Each belongs to some of the schedules.</summary>
public sealed record SchedulerSettings
{
    public const double DefaultLrEnd = 1e-7;

    [Key("num_cycles"), Doc("waves of the cosine (one fall is 0.5), or restarts", Default = "0.5; of cosine_with_restarts 1", Example = "2")]
    public double? NumCycles { get; init => field = Require.AtLeast(0, value); }

    [Key("min_lr"), Doc("where the learning rate ends", Default = "none", Example = "1e-5")]
    public double? MinLr { get; init => field = Require.AtLeast(0, value); }

    [Key("min_lr_rate"), Doc("the same as a share of learning_rate", Default = "none", Example = "0.1")]
    public double? MinLrRate { get; init => field = UpToOne(value); }

    [Key("warmup_lr_rate"), Doc("where the warm-up starts, as a share of learning_rate", Default = "1 / warm-up steps", Example = "0.01")]
    public double? WarmupLrRate { get; init => field = UpToOne(value); }

    [Key("power"), Doc("of the polynomial", Default = "1", Example = "2")]
    public double? Power { get; init => field = Require.AtLeast(0, value); }

    [Key("lr_end"), Doc("where the polynomial ends", Default = "1e-7", Example = "1e-6")]
    public double? LrEnd { get; init => field = Require.AtLeast(0, value); }

    [Key("timescale"), Doc("steps in which the learning rate falls to √½", Default = "the warm-up, or 10,000", Example = "1000")]
    public double? Timescale { get; init => field = Require.Positive(value); }

    [Key("num_decay_steps"), Doc("steps of the fall at the end", Default = "none: it has to be given", Example = "200")]
    public int? NumDecaySteps { get; init => field = Require.AtLeast(0, value); }

    [Key("num_stable_steps"), Doc("steps between warm-up and fall", Default = "all others", Example = "1000")]
    public int? NumStableSteps { get; init => field = Require.AtLeast(0, value); }

    [Key("min_lr_ratio"), Doc("where warm-up starts and fall ends, as a share of learning_rate", Default = "0", Example = "0.1")]
    public double? MinLrRatio { get; init => field = UpToOne(value); }

    [Key("warmup_type"), Doc("shape of the warm-up", Default = "linear", Example = "cosine")]
    public DecayType? WarmupType { get; init; }

    [Key("decay_type"), Doc("shape of the fall", Default = "cosine", Example = "1-sqrt")]
    public DecayType? DecayType { get; init; }

    /// <summary>What does not fit a schedule: the setting, and what is wrong with it.</summary>
    public IEnumerable<(string Setting, string Problem)> Problems(LrSchedulerType type)
    {
        var name = ConfigFile.Written(type);
        var known = KnownTo(type);
        foreach (var setting in ConfigFile.Changed(this).Where(setting => !known.Contains(setting)))
        {
            var advice = known.Length == 0 ? "it has no such settings" : $"that one knows {string.Join(", ", known)}";
            yield return (setting, $"has no effect with lr_scheduler_type: {name}; {advice}");
        }
        if (type is LrSchedulerType.CosineWithMinLr or LrSchedulerType.CosineWarmupWithMinLr)
        {
            if (MinLr is null && MinLrRate is null) yield return ("", $"needs min_lr or min_lr_rate with lr_scheduler_type: {name}");
            if (MinLr is not null && MinLrRate is not null) yield return ("min_lr_rate", "cannot stand beside min_lr; keep one of them");
        }
        if (type == LrSchedulerType.WarmupStableDecay && NumDecaySteps is null) yield return ("", $"needs num_decay_steps with lr_scheduler_type: {name}");
    }

    /// <summary>What does not fit a base rate.</summary>
    public IEnumerable<(string Setting, string Problem)> Problems(LrSchedulerType type, double rate)
    {
        var end = type == LrSchedulerType.Polynomial ? LrEnd ?? DefaultLrEnd : 0;
        if (end > 0 && end >= rate) yield return ("lr_end", string.Create(CultureInfo.InvariantCulture, $"must be smaller than learning_rate ({rate}), it is {end}"));
        if (MinLr > rate) yield return ("min_lr", string.Create(CultureInfo.InvariantCulture, $"must not be more than learning_rate ({rate}), it is {MinLr}"));
    }

    private static double? UpToOne(double? value, [CallerMemberName] string property = "") =>
        Require.That(value is null or (>= 0 and <= 1), "between 0 and 1", value, property);

    private static string[] KnownTo(LrSchedulerType type) => type switch
    {
        LrSchedulerType.Cosine or LrSchedulerType.CosineWithRestarts => ["num_cycles"],
        LrSchedulerType.CosineWithMinLr => ["num_cycles", "min_lr", "min_lr_rate"],
        LrSchedulerType.CosineWarmupWithMinLr => ["num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"],
        LrSchedulerType.Polynomial => ["power", "lr_end"],
        LrSchedulerType.InverseSqrt => ["timescale"],
        LrSchedulerType.WarmupStableDecay => ["num_decay_steps", "num_stable_steps", "min_lr_ratio", "warmup_type", "decay_type", "num_cycles"],
        _ => [],
    };
}
