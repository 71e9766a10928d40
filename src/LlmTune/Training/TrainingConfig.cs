using LlmTune.Config;

namespace LlmTune.Training;

/// <summary>The loop: how long, in which steps, by which optimizer. Names and meanings are those of transformers' TrainingArguments.</summary>
public sealed record TrainingConfig : ISettingRules
{
    private readonly int? _evalBatchSize, _dataSeed;

    [Key("output_dir"), Path, Doc("where the run is written; refused if it holds one already")]
    public required string OutputDir { get; init; }

    [Key("num_train_epochs"), Doc("how often the data is seen")]
    public double NumTrainEpochs { get; init => field = Require.Positive(value); } = 3;

    [Key("max_steps"), Doc("steps, whatever the epochs say; -1 leaves it to them")]
    public int MaxSteps { get; init => field = Require.That(value is -1 or >= 1, "at least 1, or -1 for as many as the epochs have", value); } = -1;

    [Key("per_device_train_batch_size"), Doc("rows at once; times gradient_accumulation_steps these are the rows of a step, which change what is learnt")]
    public int PerDeviceTrainBatchSize { get; init => field = Require.AtLeast(1, value); } = 4;

    [Key("per_device_eval_batch_size"), Doc("rows at once in evaluation; changes no result", Default = "as in training")]
    public int PerDeviceEvalBatchSize { get => _evalBatchSize ?? PerDeviceTrainBatchSize; init => _evalBatchSize = Require.AtLeast(1, value); }

    [Key("gradient_accumulation_steps"), Doc("micro-batches in a step; 1 × 8 and 4 × 2 rows are the same step")]
    public int GradientAccumulationSteps { get; init => field = Require.AtLeast(1, value); } = 1;

    /// <summary>Null until the run is resolved: the default depends on objective and adapter.</summary>
    [Key("learning_rate"), Doc("highest learning rate", Default = "2e-4 for LoRA, 2e-5 for the whole model", Example = "2e-4")]
    public double? LearningRate { get; init => field = Require.AtLeast(0, value); }

    [Key("lr_scheduler_type"), Doc("how the learning rate goes after the warm-up")]
    public LrSchedulerType LrSchedulerType { get; init; } = LrSchedulerType.Cosine;

    [Key("lr_scheduler_kwargs"), Doc("what the schedule can be told", Example = "{ num_cycles: 2 }")]
    public SchedulerSettings? LrSchedulerKwargs { get; init; }

    [Key("warmup_steps"), Doc("instead of warmup_ratio: steps in which the learning rate rises", Example = "10")]
    public double? WarmupSteps
    {
        get;
        init => field = Require.That(
            value is null or (>= 0 and < 1) || value >= 1 && value == Math.Floor(value.Value), "a whole number of steps, or a share below 1", value);
    }

    [Key("warmup_ratio"), Doc("share of the steps in which the learning rate rises", Example = "0.03")]
    public double? WarmupRatio
    {
        get => field ?? (WarmupSteps is null && LrSchedulerType != LrSchedulerType.Constant ? 0.03 : null);
        init => field = Require.Share(value);
    }

    [Key("optim"), Doc("the optimizer")]
    public OptimizerType Optim { get; init; } = OptimizerType.AdamWTorchFused;

    [Key("weight_decay"), Doc("decoupled decay, not on norms and biases")]
    public double WeightDecay { get; init => field = Require.AtLeast(0, value); }

    [Key("adam_beta1"), Doc("decay of the gradients' mean")]
    public double AdamBeta1 { get; init => field = Require.Share(value); } = 0.9;

    [Key("adam_beta2"), Doc("decay of the gradients' mean square")]
    public double AdamBeta2 { get; init => field = Require.Share(value); } = 0.999;

    [Key("adam_epsilon"), Doc("added to the root of the mean square")]
    public double AdamEpsilon { get; init => field = Require.Positive(value); } = 1e-8;

    [Key("max_grad_norm"), Doc("longer gradients are scaled down to this; 0 never does")]
    public double MaxGradNorm { get; init => field = Require.AtLeast(0, value); } = 1;

    [Key("gradient_checkpointing"), Form(typeof(GradientCheckpointingForm))]
    [Doc("blocks computed again in the backward pass: less memory, more time, same result")]
    public GradientCheckpointing GradientCheckpointing { get; init; } = GradientCheckpointing.Auto;

    [Key("seed"), Doc("of everything random in the run")]
    public int Seed { get; init => field = Require.AtLeast(0, value); } = 42;

    [Key("data_seed"), Doc("of the order of the data", Default = "as seed")]
    public int DataSeed { get => _dataSeed ?? Seed; init => _dataSeed = Require.AtLeast(0, value); }

    [Key("logging_steps"), Doc("steps between two lines of the log")]
    public int LoggingSteps { get; init => field = Require.AtLeast(1, value); } = 1;

    /// <summary>Null until the run is resolved: the default depends on whether anything is held out.</summary>
    [Key("eval_strategy"), Doc("when held-out data is evaluated", Default = "epoch if there is any", Example = "epoch")]
    public EvalStrategy? EvalStrategy { get; init; }

    [Key("eval_steps"), Doc("steps between two evaluations, with eval_strategy: steps", Example = "100")]
    public int? EvalSteps { get; init => field = Require.AtLeast(1, value); }

    /// <summary>How many of a run's steps warm up: a share is rounded up, as in transformers.</summary>
    public int Warmup(int totalSteps)
    {
        var warmup = WarmupSteps ?? WarmupRatio ?? 0;
        return warmup < 1 ? (int)Math.Ceiling(totalSteps * warmup) : (int)warmup;
    }

    /// <summary>The learning rates of a run.</summary>
    /// <exception cref="RequestException">A fall that divides by the number of its steps has none.</exception>
    public Schedule ScheduleOf(int totalSteps)
    {
        var warmup = Warmup(totalSteps);
        if (LrSchedulerType == LrSchedulerType.Polynomial && WarmupSteps is not null && warmup == totalSteps)
            throw new RequestException($"the warm-up takes all {totalSteps} steps, so that lr_scheduler_type: polynomial has none to fall in; give fewer warmup_steps");
        return new Schedule(LrSchedulerType, LrSchedulerKwargs ?? new SchedulerSettings(), LearningRate!.Value, warmup, totalSteps);
    }

    public IEnumerable<(string Setting, string Problem)> Broken()
    {
        foreach (var (setting, problem) in (LrSchedulerKwargs ?? new SchedulerSettings()).Problems(LrSchedulerType))
            yield return (setting.Length == 0 ? "lr_scheduler_kwargs" : $"lr_scheduler_kwargs.{setting}", problem);
        if (WarmupSteps is not null && WarmupRatio is not null) yield return ("warmup_ratio", "cannot stand beside warmup_steps; keep one of them");
        if (LrSchedulerType == LrSchedulerType.Constant && Warmup(100) > 0)
        {
            var given = WarmupSteps is null ? "warmup_ratio" : "warmup_steps";
            yield return (given, "has no effect with lr_scheduler_type: constant; use constant_with_warmup, or leave it out");
        }
        if (EvalStrategy == Training.EvalStrategy.Steps && EvalSteps is null)
            yield return ("eval_strategy", "is steps, but eval_steps does not say how many");
        if (EvalStrategy is Training.EvalStrategy.No or Training.EvalStrategy.Epoch && EvalSteps is not null)
            yield return ("eval_steps", "has no effect unless eval_strategy is steps");
    }
}

/// <summary>Optimizers by transformers' names.</summary>
public enum OptimizerType
{
    /// <summary>AdamW, tensor by tensor.</summary>
    [Key("adamw_torch")] AdamWTorch,

    /// <summary>AdamW, all tensors in one kernel.</summary>
    [Key("adamw_torch_fused")] AdamWTorchFused,
}

/// <summary>When held-out data is evaluated.</summary>
public enum EvalStrategy
{
    [Key("no")] No,
    [Key("steps")] Steps,
    [Key("epoch")] Epoch,
}
