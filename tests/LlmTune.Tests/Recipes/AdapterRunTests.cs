using System.Text.Json;
using LlmTune.Adapters;
using LlmTune.Io;
using LlmTune.Recipes;
using Serilog.Core;

namespace LlmTune.Tests.Recipes;

/// <summary>Runs with the rarer settings of an adapter, and runs that go on from one.</summary>
public sealed class AdapterRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public AdapterRunTests()
    {
        string[] names = ["Tom", "Lily", "Ben", "Mia"], things = ["ball", "cat", "tree", "boat", "cake", "star"];
        File.WriteAllLines(_folder["data.jsonl"], Enumerable.Range(0, 48).Select(i => JsonSerializer.Serialize(new
        {
            text = $"{names[i % 4]} had a {things[i % 6]}. The {things[i % 6]} was {(i % 3 == 0 ? "red" : "big")}. {names[i % 4]} was happy with it.",
        })));
    }

    public void Dispose() => _folder.Dispose();

    private FinetuneResult Train(string adapter, string output, params string[] overrides)
    {
        File.WriteAllText(_folder["run.yaml"], $$"""
            device: cpu
            model: { path: {{RealModels.Stories}} }
            adapter: {{adapter}}
            data: { sources: [{ path: data.jsonl }], max_length: 64, eval: { count: 8 } }
            training: { output_dir: {{output}}, max_steps: 6, per_device_train_batch_size: 4, learning_rate: 1e-2 }
            """);
        return Finetune.Run(RunConfig.Load(_folder["run.yaml"], overrides), force: false, Logger.None);
    }

    [Fact]
    public void Copies_and_adapters_of_every_kind_are_trained_saved_and_gone_on_from()
    {
        const string Adapter = "{ r: 4, target_modules: [embed_tokens, q_proj], modules_to_save: [norm], rank_pattern: { layers.0.*: 2 }, layers_to_transform: [0, 1] }";
        // Layers count for what has a number in its name only, so the embedding is named in full.
        var first = Train(Adapter.Replace("[embed_tokens,", "[model.embed_tokens,", StringComparison.Ordinal), "first");
        Assert.True(first.LastEvalLoss < first.FirstEvalLoss - 0.2, $"from {first.FirstEvalLoss} to {first.LastEvalLoss}");
        using (var saved = SafetensorsFile.Open(Path.Combine(first.Folder.Adapter, AdapterFolder.WeightsName)))
        {
            string[] norms = ["model.norm", .. Enumerable.Range(0, 5).SelectMany(i => new[] { "input_layernorm", "post_attention_layernorm" }.Select(norm => $"model.layers.{i}.{norm}"))];
            string[] adapted = [.. Enumerable.Range(0, 2).SelectMany(i => new[] { "A", "B" }.Select(m => $"model.layers.{i}.self_attn.q_proj.lora_{m}.weight"))];
            string[] embedding = ["model.embed_tokens.lora_embedding_A", "model.embed_tokens.lora_embedding_B"];
            Assert.Equal(
                norms.Select(norm => norm + ".weight").Concat(adapted).Concat(embedding).Select(name => "base_model.model." + name).Order(StringComparer.Ordinal),
                saved.Tensors.Keys.Order(StringComparer.Ordinal));
            Assert.Equal([2, 64], saved.Tensors["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"].Shape);
            Assert.Equal([4, 64], saved.Tensors["base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"].Shape);
        }

        // Going on, from the run or from its adapter folder: the loss before the first step is that after the last.
        var second = Train($"{{ path: {first.Folder.Path} }}", "second");
        Close.Assert(first.LastEvalLoss!.Value, second.FirstEvalLoss!.Value, "held-out loss at the start", 1e-6);
        Assert.True(second.LastEvalLoss < second.FirstEvalLoss, $"from {second.FirstEvalLoss} to {second.LastEvalLoss}");
        var third = Train($"{{ path: {second.Folder.Adapter} }}", "third", "max_steps=1");
        Close.Assert(second.LastEvalLoss!.Value, third.FirstEvalLoss!.Value, "held-out loss at the start", 1e-6);
        Assert.Contains("Goes on from", File.ReadAllText(third.Folder.Card), StringComparison.Ordinal);
    }

    [Fact]
    public void The_base_of_an_adapter_is_taken_for_what_it_is_called()
    {
        var run = Train("{ r: 2 }", "first").Folder;
        string? Other(string model)
        {
            var config = RunConfig.Load(_folder["run.yaml"], $"model.path={model}", "output_dir=second");
            config = config with { Adapter = new LoraConfig { Path = run.Path } };
            using var plan = RunPlan.Make(config, Logger.None);
            return plan.OtherBase();
        }
        Assert.Null(Other(RealModels.Stories));
        Directory.CreateDirectory(_folder["another"]);
        foreach (var file in Directory.GetFiles(RealModels.Stories)) File.Copy(file, Path.Combine(_folder["another"], Path.GetFileName(file)));
        Assert.Equal(RealModels.Stories, Other(_folder["another"]));

        // Beside a plain model the base belongs to the adapter alone.
        var sources = ModelSource.ResolveAll([RealModels.Stories, run.Path, run.Adapter], _folder["another"]);
        Assert.Equal([RealModels.Stories, _folder["another"], _folder["another"]], sources.Select(source => source.Base));
        Assert.StartsWith("--base goes with an adapter", Assert.Throws<RequestException>(() => ModelSource.ResolveAll([RealModels.Stories], "x")).Message, StringComparison.Ordinal);
        var error = Assert.Throws<RequestException>(() => ModelSource.Resolve(run.Path, _folder["nowhere"]));
        Assert.EndsWith("or say --base MODEL", error.Message, StringComparison.Ordinal);
    }
}
