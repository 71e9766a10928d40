using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Training;

namespace LlmTune.Recipes;

/// <summary>What a starter file is for.</summary>
public enum StarterMethod
{
    Lora,
    Full,
    Pretrain,
}

/// <summary>A run file to start from, made for a model, for data, and for the machine that it is written on.</summary>
public static class StarterFile
{
    /// <summary>Rows of a step, however many of them fit at once.</summary>
    private const int RowsPerStep = 8;

    private const int LongestRow = 2048;

    /// <summary>The run; its paths are those that are given.</summary>
    /// <param name="name">What the run's folder is called after.</param>
    public static RunConfig For(string model, string name, IEnumerable<string> data, StarterMethod method) => new()
    {
        Model = new ModelConfig { Path = model, Init = method == StarterMethod.Pretrain ? ModelInit.Random : ModelInit.Weights },
        Adapter = method == StarterMethod.Lora ? new LoraConfig() : null,
        Data = new DataConfig
        {
            Sources = [.. data.Select(path => new SourceConfig { Path = path })],
            Eval = new EvalConfig { Fraction = 0.02 },
            MaxLength = LongestRow,
            Packing = method == StarterMethod.Pretrain ? PackingMode.Wrapped : PackingMode.BestFit,
        },
        Training = new TrainingConfig
        {
            OutputDir = $"out/{name}-{method.ToString().ToLowerInvariant()}",
            LearningRate = method switch { StarterMethod.Lora => 2e-4, StarterMethod.Full => 2e-5, _ => 1e-3 },
            NumTrainEpochs = method == StarterMethod.Pretrain ? 1 : 3,
            WeightDecay = method == StarterMethod.Pretrain ? 0.1 : 0,
            AdamBeta2 = method == StarterMethod.Pretrain ? 0.95 : 0.999,
            PerDeviceTrainBatchSize = RowsPerStep,
        },
    };

    /// <summary>
    /// The same with rows no longer than the model takes, and as many of them at once as the device has memory for: the rest of a
    /// step's rows is accumulated, which changes no result.
    /// </summary>
    /// <returns>The run, what a step of it takes, and what is free, in bytes.</returns>
    public static (RunConfig Run, long Needed, long Free) Fit(RunConfig run, ModelFolder folder)
    {
        var length = Math.Min(run.Data.MaxLength, folder.Spec.MaxPositions);
        var memory = new RunMemory(run, folder, Devices.Of(run.Device));
        var trainable = memory.CountTrainable();
        var rows = RowsPerStep;
        while (rows > 1 && memory.Estimate(trainable, (long)rows * length) is { } step && (step.Recomputed > 0 || step.Total > memory.Free)) rows /= 2;
        var fitted = run with
        {
            Data = run.Data with { MaxLength = length },
            Training = run.Training with { PerDeviceTrainBatchSize = rows, GradientAccumulationSteps = RowsPerStep / rows },
        };
        return (fitted, memory.Estimate(trainable, (long)rows * length).Total, memory.Free);
    }
}
