using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Recipes;
using Serilog.Core;

namespace LlmTune.Tests.Recipes;

/// <summary>Runs that train the model itself, from a run file to a model folder.</summary>
public sealed class FullFinetuneTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public FullFinetuneTests()
    {
        string[] names = ["Tom", "Lily", "Ben", "Mia"], things = ["ball", "cat", "tree", "boat", "cake", "star"];
        File.WriteAllLines(_folder["data.jsonl"], Enumerable.Range(0, 48).Select(i => JsonSerializer.Serialize(new
        {
            text = $"{names[i % 4]} had a {things[i % 6]}. The {things[i % 6]} was {(i % 3 == 0 ? "red" : "big")}. {names[i % 4]} was happy with it.",
        })));
    }

    public void Dispose() => _folder.Dispose();

    private RunConfig Config(string model, params string[] overrides)
    {
        File.WriteAllText(_folder["run.yaml"], $$"""
            device: cpu
            model: { path: {{model}} }
            data: { sources: [{ path: data.jsonl }], max_length: 64, eval: { count: 8 } }
            training: { output_dir: run, max_steps: 6, per_device_train_batch_size: 4 }
            """);
        return RunConfig.Load(_folder["run.yaml"], overrides);
    }

    private static FinetuneResult Train(RunConfig config, bool force = false) => Finetune.Run(config, force, Logger.None);

    [Fact]
    public void A_run_without_an_adapter_trains_the_model_and_leaves_a_model_folder()
    {
        var config = Config(RealModels.Stories);
        Assert.Equal(2e-5, config.Training.LearningRate);
        config = Config(RealModels.Stories, "learning_rate=1e-3");
        var result = Train(config);
        Assert.True(result.LastEvalLoss < result.FirstEvalLoss - 0.5, $"from {result.FirstEvalLoss} to {result.LastEvalLoss}");
        Assert.Equal(
        [
            "README.md", "loss.svg", "metrics.jsonl", "model/LICENSE", "model/config.json", "model/generation_config.json", "model/model.safetensors",
            "model/special_tokens_map.json", "model/tokenizer.json", "model/tokenizer_config.json", "run.json", "run.yaml",
        ],
        Directory.EnumerateFiles(result.Folder.Path, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(result.Folder.Path, file).Replace('\\', '/')).Order(StringComparer.Ordinal));
        var record = JsonNode.Parse(File.ReadAllText(Path.Combine(result.Folder.Path, RunFolder.RecordName)))!;
        Assert.Equal(ModelFolder.Open(RealModels.Stories).Spec.Parameters, record["trainable_parameters"]!.GetValue<long>());
        Assert.Contains("Full fine-tuning of", File.ReadAllText(result.Folder.Card), StringComparison.Ordinal);

        // What the run's folder means to other verbs is the trained model: its loss is the last of the run.
        var source = ModelSource.Resolve(result.Folder.Path);
        Assert.Equal((result.Folder.Model, null), (source.Base, source.Adapter));
        using var loaded = source.Load(CPU, ScalarType.Float32);
        Assert.NotNull(loaded.Tokenizer);
        var next = Train(Config(result.Folder.Model, $"training.output_dir={_folder["next"]}", "max_steps=1", "learning_rate=0"));
        Close.Assert(result.LastEvalLoss!.Value, next.FirstEvalLoss!.Value, "held-out loss of the saved model", 1e-6);
    }

    [Fact]
    public void What_is_frozen_is_saved_as_it_was()
    {
        var result = Train(Config(RealModels.Stories, "model.trainable.last_layers=1", "learning_rate=1e-3"));
        using var scope = NewDisposeScope();
        using var before = SafetensorsFolder.Open(RealModels.Stories);
        using var after = SafetensorsFolder.Open(result.Folder.Model);
        var names = after.Tensors.Keys.ToList();
        Assert.Equal(before.Tensors.Keys.Order(), names.Order());
        foreach (var name in names)
            Assert.Equal(!name.StartsWith("model.layers.4.", StringComparison.Ordinal), before.Alias(name).eq(after.Alias(name)).all().ToBoolean());
    }

    [Fact]
    public void Random_weights_come_from_the_config_alone_and_from_the_seed()
    {
        Directory.CreateDirectory(_folder["shape"]);
        File.Copy(Path.Combine(RealModels.Stories, "config.json"), _folder["shape/config.json"]);
        string[] overrides = ["model.init=random", $"model.tokenizer={RealModels.Stories}", "learning_rate=3e-3"];
        var first = Train(Config("shape", overrides));
        Close.Assert(Math.Log(512), first.FirstEvalLoss!.Value, "loss of a model that knows nothing", 0.02);
        Assert.True(first.LastEvalLoss < first.FirstEvalLoss - 0.5, $"from {first.FirstEvalLoss} to {first.LastEvalLoss}");
        Assert.True(File.Exists(Path.Combine(first.Folder.Model, "tokenizer.json")));
        var again = Train(Config("shape", [.. overrides, $"training.output_dir={_folder["again"]}"]));
        Assert.Equal(first.LastEvalLoss, again.LastEvalLoss);
        var other = Train(Config("shape", [.. overrides, $"training.output_dir={_folder["other"]}", "seed=1"]));
        Assert.NotEqual(first.FirstEvalLoss, other.FirstEvalLoss);
    }

    [Fact]
    public void In_bfloat16_the_saved_model_says_so()
    {
        var result = Train(Config(RealModels.Stories, "model.dtype=bfloat16", "learning_rate=1e-3", "max_steps=3"));
        Assert.True(result.LastEvalLoss < result.FirstEvalLoss - 0.2, $"from {result.FirstEvalLoss} to {result.LastEvalLoss}");
        Assert.Equal(ScalarType.BFloat16, ModelFolder.Open(result.Folder.Model).Spec.StoredType);
    }

    [Fact]
    public void The_folder_that_the_model_is_read_from_is_not_replaced()
    {
        var run = Train(Config(RealModels.Stories, "max_steps=1")).Folder;
        var config = Config(run.Model, "max_steps=1");
        var error = Assert.Throws<RequestException>(() => Train(config, force: true));
        Assert.Equal($"training.output_dir {config.Training.OutputDir} is or holds the model {config.Model.Path}, which is read from; name another folder", error.Message);
        Assert.True(File.Exists(Path.Combine(run.Model, "model.safetensors")));
        error = Assert.Throws<RequestException>(() => Train(Config(RealModels.Stories)));
        Assert.StartsWith($"{config.Training.OutputDir} holds a run already", error.Message, StringComparison.Ordinal);
    }
}
