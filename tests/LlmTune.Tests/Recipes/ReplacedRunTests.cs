using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Recipes;
using LlmTune.Tests.Data;
using LlmTune.Training;
using Serilog.Core;

namespace LlmTune.Tests.Recipes;

/// <summary>What becomes of a run that another one replaces, and of what a run had learnt when it fails.</summary>
public sealed class ReplacedRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private RunConfig Run(double rate = 1e-3, int steps = 2)
    {
        if (!File.Exists(_folder["rows.jsonl"]))
            File.WriteAllLines(_folder["rows.jsonl"], Enumerable.Range(0, 80).Select(i => $$"""{"text": "Once upon a time, there was a girl who had {{i}} balls."}"""));
        return new RunConfig
        {
            Device = "cpu",
            Model = new ModelConfig { Path = RealModels.Stories },
            Adapter = new LoraConfig(),
            Data = new DataConfig { Sources = [new SourceConfig { Path = _folder["rows.jsonl"] }], MaxLength = 64, Packing = PackingMode.None },
            Training = new TrainingConfig
            {
                OutputDir = _folder["run"],
                LearningRate = rate,
                MaxSteps = steps,
                LrSchedulerType = LrSchedulerType.Constant,
                MaxGradNorm = 0,
            },
        }.Resolved();
    }

    private byte[] Weights(string run) => File.ReadAllBytes(_folder[$"{run}/adapter/adapter_model.safetensors"]);

    [Fact]
    public void A_run_that_fails_keeps_what_it_had_learnt_and_the_run_that_it_was_to_replace()
    {
        Finetune.Run(Run(), force: false, Logger.None);
        var old = Weights("run");
        var log = new Collected();
        var error = Assert.Throws<RunException>(() => Finetune.Run(
            Run(steps: 20), force: true, log.Logger, step => { if (step.Step == 3) throw new IOException("the disk is gone"); }));
        Assert.Equal($"the disk is gone\n  → what was learnt in 3 steps before that is in {_folder["run"]}", error.Message);
        Assert.NotEqual(old, Weights("run"));
        Assert.Equal(old, Weights("run.replaced"));
        Assert.Contains($"Put aside until this run is whole: {_folder["run.replaced"]}", log.Messages);
        Assert.Equal($"this run did not get to its end; what it was to replace is still there: {_folder["run.replaced"]}", log.Messages[^1]);

        log = new Collected();
        Finetune.Run(Run(), force: true, log.Logger);
        Assert.Equal(old, Weights("run"));   // the same run again
        Assert.Equal(["rows.jsonl", "run"], Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName).Order());
        Assert.Equal($"Replaced by this run and deleted: {_folder["run.replaced"]}, {_folder["run.replaced-2"]}", log.Messages[^1]);
    }

    /// <summary>A is whole; B is stopped, C is ruined and D fails: A and what B had learnt are there until E is whole.</summary>
    [Fact]
    public void Attempts_that_end_early_lose_nothing()
    {
        Finetune.Run(Run(), force: false, Logger.None);
        var a = Weights("run");
        using (var cancel = new CancellationTokenSource())
            Assert.True(Finetune.Run(Run(steps: 20), force: true, Logger.None, step => { if (step.Step == 2) cancel.Cancel(); }, cancel: cancel.Token).Interrupted);
        var b = Weights("run");
        Assert.Throws<RunException>(() => Finetune.Run(Run(rate: 1e30, steps: 20), force: true, Logger.None));
        Assert.Throws<RequestException>(() => Finetune.Run(Run(), force: false, Logger.None));
        Assert.Throws<RunException>(() => Finetune.Run(Run(), force: true, Logger.None, _ => throw new InvalidTimeZoneException()));
        Assert.Equal(a, Weights("run.replaced"));
        Assert.Equal(b, Weights("run.replaced-2"));
        Finetune.Run(Run(), force: true, Logger.None);
        Assert.Equal(a, Weights("run"));
        Assert.Equal(["rows.jsonl", "run"], Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName).Order());
    }

    /// <summary>A rate of 1e30 makes weights of 1e30, with which no loss is finite: after one step, after two, or until it is given up.</summary>
    [Theory]
    [InlineData(1, false, "after 1 steps the model's loss is ")]
    [InlineData(3, false, "after 3 steps the model's loss is ")]
    [InlineData(20, false, "5 steps in a row had no finite gradients; lower training.learning_rate, or set model.dtype: float32\n  → the model's loss is ")]
    [InlineData(20, true, "after 2 steps the model's loss is ")]
    public void A_ruined_run_is_not_offered_as_what_was_learnt(int steps, bool stopped, string message)
    {
        using var cancel = new CancellationTokenSource();
        var error = Assert.Throws<RunException>(() => Finetune.Run(
            Run(rate: 1e30, steps), force: false, Logger.None, step => { if (stopped && step.Step == 2) cancel.Cancel(); }, cancel: cancel.Token));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        Assert.Contains($"NaN where it was finite before: nothing of this run is kept but {_folder["run/metrics.jsonl"]}", error.Message, StringComparison.Ordinal);
        Assert.Equal(["metrics.jsonl", "run.json", "run.yaml"], Directory.GetFileSystemEntries(_folder["run"]).Select(Path.GetFileName).Order());
        Assert.False(RunFolder.Open(_folder["run"]).IsFinished);
        Assert.StartsWith($"{_folder["run"]} holds a run that has not finished", Assert.Throws<RequestException>(() => ModelSource.Resolve(_folder["run"])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("adapter_config.json")]
    [InlineData("adapter_model.safetensors")]
    [InlineData("tokenizer.json")]
    public void A_run_is_finished_when_everything_is_in_its_folder(string missing)
    {
        var run = Finetune.Run(Run(), force: false, Logger.None).Folder;
        Assert.True(run.IsFinished);
        Assert.True(File.Exists(Path.Combine(run.Adapter, "tokenizer_config.json")));
        File.Delete(Path.Combine(run.Adapter, missing));
        Assert.False(run.IsFinished);
    }

    [Fact]
    public void A_run_that_is_stopped_before_its_first_step_leaves_the_other_as_it_is()
    {
        Finetune.Run(Run(), force: false, Logger.None);
        var before = Directory.GetFiles(_folder["run"], "*", SearchOption.AllDirectories).Select(File.GetLastWriteTimeUtc).ToList();
        using var cancel = new CancellationTokenSource();
        var log = CancelWhen.Says("trainable parameters", cancel);
        Assert.Throws<OperationCanceledException>(() => Finetune.Run(Run(), force: true, log, cancel: cancel.Token));
        Assert.Equal(before, Directory.GetFiles(_folder["run"], "*", SearchOption.AllDirectories).Select(File.GetLastWriteTimeUtc));
        Assert.False(Directory.Exists(_folder["run.replaced"]));
    }

    [Theory]
    [InlineData("adapter")]
    [InlineData("tokenizer")]
    [InlineData("data")]
    public void What_a_run_reads_is_not_replaced_by_it(string what)
    {
        Finetune.Run(Run(), force: false, Logger.None);
        var run = what switch
        {
            "adapter" => Run() with { Adapter = new LoraConfig { Path = _folder["run"] } },
            "tokenizer" => Run() with { Model = new ModelConfig { Path = RealModels.Stories, Tokenizer = _folder["run/adapter"] } },
            _ => Run() with { Data = new DataConfig { Sources = [new SourceConfig { Path = _folder["run/metrics.jsonl"] }] } },
        };
        var error = Assert.Throws<RequestException>(() => Finetune.Run(run, force: true, Logger.None));
        Assert.StartsWith($"training.output_dir {_folder["run"]} is or holds the {what} ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_evaluation_nothing_is_evaluated()
    {
        var run = Run();
        var result = Finetune.Run(
            (run with { Data = run.Data with { Eval = new EvalConfig { Count = 4 } }, Training = run.Training with { EvalStrategy = EvalStrategy.No } }).Resolved(),
            force: false, Logger.None);
        Assert.Equal((null, null), (result.FirstEvalLoss, result.LastEvalLoss));
        Assert.DoesNotContain("eval_loss", File.ReadAllText(_folder["run/metrics.jsonl"]), StringComparison.Ordinal);
    }
}
