using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Recipes;

namespace LlmTune.Tests.Recipes;

public class StarterFileTests
{
    private static StarterFit Fit(int documents, Func<int, int> length, StarterMethod method = StarterMethod.Lora, string? model = null)
    {
        var run = StarterFile.For(model ?? RealModels.Stories, "stories", ["rows.jsonl"], method);
        var data = new StarterData(run.Data.Sources, documents, [.. Enumerable.Range(0, Math.Min(documents, 20_000)).Select(length)]);
        return StarterFit.Of(run, data, ModelFolder.Open(model ?? RealModels.Stories));
    }

    /// <summary>
    /// From ten rows to fifty thousand, short and long, even and mixed: 8 to 16 documents a step and at least 50 steps; with less than
    /// fifty documents' worth of steps fewer a step. Rows hold every document that the model (512 positions) can.
    /// </summary>
    [Theory]
    [InlineData(10)]
    [InlineData(60)]
    [InlineData(240)]
    [InlineData(2_000)]
    [InlineData(50_000)]
    public void A_step_has_some_documents_and_a_run_enough_steps(int documents)
    {
        foreach (var length in (ReadOnlySpan<Func<int, int>>)[_ => 12, i => 30 + (i % 20), i => 200 + (i % 200), i => i % 9 == 0 ? 500 : 20, _ => 505])
        {
            var longest = Enumerable.Range(0, Math.Min(documents, 20_000)).Max(length);
            var fit = Fit(documents, length);
            Assert.Empty(fit.Run.Broken());
            Assert.InRange(fit.Run.Data.MaxLength, longest, Math.Max(128, longest + 63));
            Assert.Equal(0, fit.TooLong);
            Assert.InRange(fit.Steps, StarterFit.FewestSteps, int.MaxValue);
            Assert.InRange(fit.DocumentsPerStep, documents < 50 ? 1 : 7.9, documents < 1000 ? 16 : 16.01);
            Assert.InRange(fit.Run.Training.NumTrainEpochs, 3, 10);
            // What is held out is there: an absolute number, or a share that is some dozens.
            Assert.Equal(documents < 20, fit.Run.Data.Eval is null);
            Assert.InRange(fit.HeldOut, 0, documents / 5);
            Assert.InRange(fit.Needed, 1_000_000, fit.Free);
        }
    }

    /// <summary>Twelve tokens each: a row of 128 would hold ten documents, and 134 short ones in a row are no step.</summary>
    [Fact]
    public void Rows_that_hold_too_many_documents_are_not_packed()
    {
        var fit = Fit(240, i => i == 0 ? 500 : 5);
        Assert.Equal((PackingMode.None, 8), (fit.Run.Data.Packing, fit.Run.Training.PerDeviceTrainBatchSize * fit.Run.Training.GradientAccumulationSteps));
        Assert.Equal(PackingMode.BestFit, Fit(240, _ => 60).Run.Data.Packing);
    }

    [Fact]
    public void What_is_longer_than_the_model_knows_is_said()
    {
        var fit = Fit(1000, i => i % 4 == 0 ? 4000 : 100);
        Assert.Equal((512, 0.25), (fit.Run.Data.MaxLength, fit.TooLong));
    }

    /// <summary>A stream of 2 million tokens in rows of 512: eight rows a step. Of 50 thousand there are some 95 rows: one a step.</summary>
    [Fact]
    public void Pretraining_cuts_rows_from_a_stream()
    {
        var fit = Fit(1000, _ => 2000, StarterMethod.Pretrain);
        Assert.Equal((512, 8, 1.0), (fit.Run.Data.MaxLength, fit.Run.Training.PerDeviceTrainBatchSize * fit.Run.Training.GradientAccumulationSteps, fit.Run.Training.NumTrainEpochs));
        Assert.Equal(0.02, fit.Run.Data.Eval!.Fraction);
        var little = Fit(1, _ => 50_000, StarterMethod.Pretrain);
        Assert.Equal(1, little.Run.Training.PerDeviceTrainBatchSize * little.Run.Training.GradientAccumulationSteps);
        Assert.InRange(little.Steps, StarterFit.FewestSteps, 100);
    }

    /// <summary>A model that no machine holds: one row at a time, and the step keeps its documents.</summary>
    [Fact]
    public void A_large_model_takes_one_row_at_a_time()
    {
        using var folder = new TemporaryFolder();
        var config = JsonNode.Parse(File.ReadAllText(Path.Join(RealModels.Stories, "config.json")))!;
        (config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]) = (2000, 16384, 65536);
        File.WriteAllText(folder["config.json"], config.ToJsonString());
        var fit = Fit(2000, _ => 500, StarterMethod.Full, folder.Path);
        Assert.Equal((1, 16), (fit.Run.Training.PerDeviceTrainBatchSize, fit.Run.Training.GradientAccumulationSteps));
        Assert.True(fit.Needed > fit.Free);
    }
}
