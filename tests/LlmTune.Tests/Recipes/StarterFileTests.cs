using System.Text.Json.Nodes;
using LlmTune.Models;
using LlmTune.Recipes;

namespace LlmTune.Tests.Recipes;

public class StarterFileTests
{
    [Theory]
    [InlineData(StarterMethod.Lora)]
    [InlineData(StarterMethod.Full)]
    [InlineData(StarterMethod.Pretrain)]
    public void A_small_model_takes_the_whole_step_at_once(StarterMethod method)
    {
        var run = StarterFile.For(RealModels.Stories, "stories", ["rows.jsonl"], method);
        var (fitted, needed, free) = StarterFile.Fit(run, ModelFolder.Open(RealModels.Stories));
        Assert.Equal((8, 1, 512), (fitted.Training.PerDeviceTrainBatchSize, fitted.Training.GradientAccumulationSteps, fitted.Data.MaxLength));
        Assert.InRange(needed, 1_000_000, free);
        Assert.Empty(fitted.Broken());
    }

    /// <summary>A model that no machine holds: one row at a time, and the step keeps its eight rows.</summary>
    [Fact]
    public void A_large_model_takes_one_row_at_a_time()
    {
        using var folder = new TemporaryFolder();
        var config = JsonNode.Parse(File.ReadAllText(Path.Join(RealModels.Stories, "config.json")))!;
        (config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]) = (2000, 16384, 65536);
        File.WriteAllText(folder["config.json"], config.ToJsonString());
        var run = StarterFile.For(folder.Path, "giant", ["rows.jsonl"], StarterMethod.Full);
        var (fitted, needed, free) = StarterFile.Fit(run, ModelFolder.Open(folder.Path));
        Assert.Equal((1, 8), (fitted.Training.PerDeviceTrainBatchSize, fitted.Training.GradientAccumulationSteps));
        Assert.True(needed > free);
    }
}
