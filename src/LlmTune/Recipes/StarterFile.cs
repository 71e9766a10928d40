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

/// <summary>A run file to start from; <see cref="StarterFit"/> fits it to data, model and machine.</summary>
public static class StarterFile
{
    /// <summary>Rows of a step where the data is not known.</summary>
    private const int RowsPerStep = 8;

    private const int LongestRow = 2048;

    /// <summary>The run; its paths are those that are given.</summary>
    /// <param name="name">What the run's folder is called after.</param>
    /// <param name="adapter">An adapter to go on from.</param>
    public static RunConfig For(string model, string name, IEnumerable<string> data, StarterMethod method, string? adapter = null) => new()
    {
        Model = new ModelConfig { Path = model, Init = method == StarterMethod.Pretrain ? ModelInit.Random : ModelInit.Weights },
        Adapter = method == StarterMethod.Lora ? new LoraConfig { Path = adapter } : null,
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
}
