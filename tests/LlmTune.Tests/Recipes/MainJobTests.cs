using System.Text.Json;
using LlmTune.Io;
using LlmTune.Recipes;
using Serilog.Core;

namespace LlmTune.Tests.Recipes;

/// <summary>The main job on a trained model: fine-tune, merge, evaluate side by side, from folders alone.</summary>
public sealed class MainJobTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("llmtune-job-");

    private string Path(params string[] parts) => System.IO.Path.Combine([_folder.FullName, .. parts]);

    private RunConfig Config(params string[] overrides)
    {
        var rows = Enumerable.Range(0, 48).Select(i => JsonSerializer.Serialize(new
        {
            prompt = $"{(i % 2 == 0 ? "Tom" : "Lily")} has a {(i % 3 == 0 ? "red" : "blue")} ball. What does {(i % 2 == 0 ? "Tom" : "Lily")} have?",
            completion = $" A {(i % 3 == 0 ? "red" : "blue")} ball.",
        }));
        if (!File.Exists(Path("train.jsonl")))
        {
            File.WriteAllLines(Path("train.jsonl"), rows);
            File.WriteAllText(Path("general.txt"), string.Join(" ", Enumerable.Repeat("Once upon a time, there was a little girl named Lily. She loved to play.", 6)));
            File.WriteAllLines(Path("held.jsonl"), rows.Take(6));
            File.WriteAllText(Path("run.yaml"), $$"""
                model: { path: {{RealModels.Stories}} }
                adapter: { type: lora, r: 8 }
                data:
                  sources:
                    - { path: train.jsonl, label: task, weight: 2 }
                    - { path: general.txt, label: general }
                  eval: { sources: [{ path: held.jsonl, label: held }] }
                  max_length: 128
                training: { output_dir: run, learning_rate: 5e-3, max_steps: 12, eval_steps: 6, per_device_train_batch_size: 2, logging_steps: 3 }
                """);
        }
        return RunConfig.Load(Path("run.yaml"), overrides);
    }

    [Fact]
    public void Held_out_loss_falls_and_adapter_and_merged_model_are_equal()
    {
        var result = Finetune.Run(Config(), force: false, Logger.None);
        Assert.Equal(12, result.Steps);
        Assert.True(result.LastEvalLoss < 0.6 * result.FirstEvalLoss, $"from {result.FirstEvalLoss} to {result.LastEvalLoss}");

        var metrics = JsonLines.Read(Path("run", "metrics.jsonl")).Select(line => line.Value).ToArray();
        Assert.Equal([3, 6, 9, 12], metrics.Where(m => m.TryGetProperty("loss", out _)).Select(m => m.GetProperty("step").GetInt32()));
        Assert.Equal([0, 6, 12], metrics.Where(m => m.TryGetProperty("eval_loss", out _)).Select(m => m.GetProperty("step").GetInt32()));
        Assert.All(metrics.Where(m => m.TryGetProperty("loss", out _)), m => Assert.True(m.TryGetProperty("learning_rate", out _) && m.TryGetProperty("grad_norm", out _) && m.TryGetProperty("num_tokens", out _)));

        var check = Merge.Run(ModelSource.Resolve(Path("run")), Path("merged"), force: false, CPU, Logger.None);
        Assert.True(check.Largest <= 1e-5 * check.Scale, check.ToString());
        Assert.Equal(1, check.SameChoice);
        Assert.Contains(check.ToString(), File.ReadAllText(Path("merged", "README.md")), StringComparison.Ordinal);
        Assert.True(File.Exists(Path("merged", "tokenizer.json")));

        var request = new EvaluateRequest
        {
            Targets = [ModelSource.Resolve(RealModels.Stories), ModelSource.Resolve(Path("run")), ModelSource.Resolve(Path("run", "adapter")), ModelSource.Resolve(Path("merged"))],
            Data = [Path("held.jsonl")],
            Stops = ["."],
            Answers = 4,
            MaxNewTokens = 12,
        };
        var results = Evaluate.Run(request, CPU, ScalarType.Float32, Logger.None);
        Close.Assert(result.FirstEvalLoss!.Value, results[0].All.Loss, "base: evaluation in training and alone");
        Close.Assert(result.LastEvalLoss!.Value, results[1].All.Loss, "run: evaluation in training and alone");
        Close.Assert(results[1].All.Loss, results[2].All.Loss, "run and adapter", 1e-12);
        Close.Assert(results[1].All.Loss, results[3].All.Loss, "adapter and merged");
        Assert.Equal(results[1].Answers, results[3].Answers);
        Assert.True(results[1].ExactMatch > 0.5, $"{results[1].ExactMatch}");
        Assert.Equal(0, results[0].ExactMatch);

        var oneByOne = Evaluate.Run(request with { Targets = [request.Targets[1]], BatchSize = 1 }, CPU, ScalarType.Float32, Logger.None)[0];
        Close.Assert(results[1].All.Loss, oneByOne.All.Loss, "batch size 1 and 8", 1e-6);
        Close.Assert(results[1].All.StandardError, oneByOne.All.StandardError, "batch size 1 and 8", 1e-5);
        Assert.Equal(results[1].Answers, oneByOne.Answers);
    }

    /// <summary>As from C#: a run whose last defaults nobody has decided, each left out in turn.</summary>
    [Theory]
    [InlineData("", "adapter: { r: 4 }", 2e-4)]
    [InlineData("learning_rate: 1e-3", "adapter: { r: 4 }", 1e-3)]
    [InlineData("", "", 2e-5)]
    [InlineData("eval_steps: 2, lr_scheduler_type: linear", "", 2e-5)]
    public void A_run_file_that_was_only_read_runs_to_its_end(string settings, string adapter, double rate)
    {
        Config();
        File.WriteAllText(Path("plain.yaml"), $$"""
            model: { path: {{RealModels.Stories}} }
            {{adapter}}
            data: { sources: [{ path: train.jsonl }], eval: { count: 4 }, max_length: 64 }
            training: { output_dir: plain, max_steps: 3, {{settings}} }
            """);
        var file = RunFile.Load(Path("plain.yaml"));
        var result = Finetune.Run(file.Config, force: false, Logger.None);
        Assert.Equal(3, result.Steps);
        Assert.NotNull(result.LastEvalLoss);
        Assert.Equal(rate, result.Folder.ReadConfig().Training.LearningRate);
        using var plan = RunPlan.Make(file.Config, Logger.None, cancel: TestContext.Current.CancellationToken);
        Assert.Equal(rate, plan.Config.Training.LearningRate);
        Assert.Equal(3, Preview.Run(file.Config, 1, Logger.None, cancel: TestContext.Current.CancellationToken).Steps);
    }

    [Fact]
    public void The_same_seed_gives_the_same_run_and_another_one_another()
    {
        double[] Losses(string output, params string[] overrides)
        {
            Finetune.Run(Config([$"output_dir={Path(output)}", "max_steps=4", "logging_steps=1", "adapter.lora_dropout=0.1", .. overrides]), force: false, Logger.None);
            return [.. JsonLines.Read(Path(output, "metrics.jsonl")).Where(l => l.Value.TryGetProperty("loss", out _)).Select(l => l.Value.GetProperty("loss").GetDouble())];
        }
        var first = Losses("a");
        Assert.Equal(first, Losses("b"));
        Assert.NotEqual(first, Losses("c", "seed=5"));
        // Half the rows a micro-batch, twice the micro-batches: the same steps.
        var halved = Losses("d", "per_device_train_batch_size=1", "gradient_accumulation_steps=2");
        for (var i = 0; i < first.Length; i++) Close.Assert(first[i], halved[i], $"step {i + 1}", 1e-5);
    }

    [Fact]
    public void A_run_is_not_overwritten_unless_forced_and_goes_by_its_folder()
    {
        Finetune.Run(Config("max_steps=1"), force: false, Logger.None);
        var error = Assert.Throws<RequestException>(() => Finetune.Run(Config("max_steps=1"), force: false, Logger.None));
        Assert.Equal($"{Path("run")} holds a run already; name another training.output_dir, or say --force to replace it", error.Message);
        Finetune.Run(Config("max_steps=1"), force: true, Logger.None);
        // run.yaml in the folder is the run as it was decided.
        Assert.Equal(Config("max_steps=1").Resolved(), RunFolder.Open(Path("run")).ReadConfig());
        Assert.Equal(1, JsonDocument.Parse(File.ReadAllText(Path("run", "run.json"))).RootElement.GetProperty("config").GetProperty("training").GetProperty("max_steps").GetInt32());
    }

    [Fact]
    public void A_cancelled_run_writes_what_it_has_learnt()
    {
        using var cancel = new CancellationTokenSource();
        var result = Finetune.Run(Config("logging_steps=1"), force: false, Logger.None, step => { if (step.Step == 2) cancel.Cancel(); }, cancel: cancel.Token);
        Assert.True(result.Interrupted);
        Assert.Equal(2, result.Steps);
        Assert.NotNull(ModelSource.Resolve(Path("run")).Adapter);
    }

    [Fact]
    public void Outputs_are_not_written_over_inputs_or_what_is_there()
    {
        Finetune.Run(Config("max_steps=1"), force: false, Logger.None);
        var source = ModelSource.Resolve(Path("run"));
        Directory.CreateDirectory(Path("there"));
        File.WriteAllText(Path("there", "precious"), "");
        Assert.Contains("not empty", Assert.Throws<RequestException>(() => Merge.Run(source, Path("there"), force: false, CPU, Logger.None)).Message, StringComparison.Ordinal);
        Assert.Contains("which is read from", Assert.Throws<RequestException>(() => Merge.Run(source, RealModels.Stories, force: true, CPU, Logger.None)).Message, StringComparison.Ordinal);
        Assert.Contains("which is read from", Assert.Throws<RequestException>(() => Merge.Run(source, Path("run"), force: true, CPU, Logger.None)).Message, StringComparison.Ordinal);
        Assert.True(File.Exists(Path("there", "precious")));
        Merge.Run(source, Path("there"), force: true, CPU, Logger.None);
        Assert.False(File.Exists(Path("there", "precious")));
        var nothing = Assert.Throws<RequestException>(() => Merge.Run(ModelSource.Resolve(RealModels.Stories), Path("x"), force: false, CPU, Logger.None));
        Assert.Contains("nothing to merge", nothing.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_folder.FullName, ".*"));   // nothing half-made is left
    }

    [Fact]
    public void What_is_not_a_model_is_named()
    {
        Directory.CreateDirectory(Path("empty"));
        var error = Assert.Throws<RequestException>(() => ModelSource.Resolve(Path("empty")));
        Assert.Equal($"{Path("empty")} is neither a run (run.json), nor an adapter (adapter_config.json), nor a model (config.json)", error.Message);
        Assert.Contains("--base goes with an adapter", Assert.Throws<RequestException>(() => ModelSource.Resolve(RealModels.Stories, "other")).Message, StringComparison.Ordinal);
        Assert.Contains("neither a folder nor a model in the local Hugging Face cache", Assert.Throws<RequestException>(() => ModelSource.Resolve("some/where")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_eval_section_that_holds_nothing_out_is_an_error()
    {
        Config();
        File.WriteAllText(Path("one.yaml"), File.ReadAllText(Path("run.yaml")).Replace("eval: { sources: [{ path: held.jsonl, label: held }] }", "eval: { fraction: 0.0001 }", StringComparison.Ordinal));
        var error = Assert.Throws<RequestException>(() => Finetune.Run(RunConfig.Load(Path("one.yaml")), force: false, Logger.None));
        Assert.StartsWith("data.eval holds nothing out of 49 documents", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path("run")));
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
