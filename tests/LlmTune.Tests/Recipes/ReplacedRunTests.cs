using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Recipes;
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

    [Fact]
    public void A_run_that_fails_keeps_what_it_had_learnt_and_the_run_that_it_was_to_replace()
    {
        Finetune.Run(Run(), force: false, Logger.None);
        var old = File.ReadAllBytes(_folder["run/adapter/adapter_model.safetensors"]);

        var error = Assert.Throws<RunException>(() => Finetune.Run(Run(rate: 1e30, steps: 20), force: true, Logger.None));
        Assert.StartsWith("5 steps in a row had no finite gradients", error.Message, StringComparison.Ordinal);
        Assert.EndsWith($"what was learnt in 1 steps before that is in {_folder["run"]}", error.Message, StringComparison.Ordinal);
        Assert.NotEqual(old, File.ReadAllBytes(_folder["run/adapter/adapter_model.safetensors"]));
        Assert.Equal(old, File.ReadAllBytes(_folder["run.replaced/adapter/adapter_model.safetensors"]));

        Finetune.Run(Run(), force: true, Logger.None);
        Assert.Equal(old, File.ReadAllBytes(_folder["run/adapter/adapter_model.safetensors"]));   // the same run again
        Assert.False(Directory.Exists(_folder["run.replaced"]));
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
