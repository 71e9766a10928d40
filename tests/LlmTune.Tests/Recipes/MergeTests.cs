using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Recipes;
using Serilog.Core;

namespace LlmTune.Tests.Recipes;

/// <summary>Every kind of adapter worked into its base: the merged folder alone gives the adapted logits.</summary>
public sealed class MergeTests : IDisposable
{
    private static readonly LoraPlan Plain = new() { Rank = 4, Alpha = 8, Targets = ModuleSelector.Names("q_proj", "v_proj") };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A plan, whether tied ends part by it, and a tensor that it changes.</summary>
    public static TheoryData<string, bool, string> Plans => new()
    {
        { "plain", false, "model.layers.0.self_attn.q_proj.weight" },
        { "norms", false, "model.norm.weight" },
        { "copied embedding", true, "model.embed_tokens.weight" },
        { "copied head", true, "lm_head.weight" },
        { "copied ends, tied", false, "model.embed_tokens.weight" },
        { "adapted embedding", true, "model.embed_tokens.weight" },
        { "adapted head", true, "lm_head.weight" },
        { "adapted ends", true, "lm_head.weight" },
        { "adapted ends, tied", false, "model.embed_tokens.weight" },
        { "biases", false, "model.layers.1.self_attn.k_proj.bias" },
        { "biases of adapted layers, and of the update", false, "model.layers.1.self_attn.q_proj.bias" },
    };

    private static LoraPlan PlanOf(string name) => name switch
    {
        "plain" => Plain,
        "norms" => Plain with { ModulesToSave = ["norm"] },
        "copied embedding" => Plain with { ModulesToSave = ["embed_tokens"] },
        "copied head" => Plain with { ModulesToSave = ["lm_head"] },
        "copied ends, tied" => Plain with { ModulesToSave = ["lm_head"], EnsureWeightTying = true },
        "adapted embedding" => Plain with { Targets = ModuleSelector.Names("embed_tokens", "q_proj") },
        "adapted head" => Plain with { Targets = ModuleSelector.Names("lm_head", "q_proj") },
        "adapted ends" => Plain with { Targets = ModuleSelector.Names("embed_tokens", "lm_head") },
        "adapted ends, tied" => Plain with { Targets = ModuleSelector.Names("embed_tokens", "q_proj"), EnsureWeightTying = true },
        "biases" => Plain with { Bias = BiasTraining.All },
        _ => Plain with { Bias = BiasTraining.LoraOnly, LoraBias = true },
    };

    [Theory]
    [MemberData(nameof(Plans))]
    public void The_merged_folder_gives_the_adapted_logits(string plan, bool parts, string changed)
    {
        using var scope = NewDisposeScope();
        var folder = TiedWithBiases();
        var (plainLogits, adapted) = WriteAdapter(folder, PlanOf(plan));
        Assert.True((plainLogits - adapted).abs().max().ToDouble() > 0.05, "the adapter matters");

        var check = Merge.Run(ModelSource.Resolve(_folder["adapter"]), _folder["merged"], force: false, CPU, Logger.None);
        Assert.True(check.Largest < 1e-5 * check.Scale, $"{check}");
        using var merged = ModelFolder.Open(_folder["merged"]).Load(CPU, ScalarType.Float32);
        Close.Assert(adapted, Logits(merged), "merged logits");

        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder["merged"], "config.json")))!;
        Assert.Equal(!parts, config["tie_word_embeddings"]!.GetValue<bool>());
        using var before = SafetensorsFolder.Open(folder);
        using var after = SafetensorsFolder.Open(_folder["merged"]);
        Assert.Equal(before.Tensors.Keys.Union(parts ? ["lm_head.weight"] : []).Order(), after.Tensors.Keys.Order());
        Assert.False(before.Alias(changed == "lm_head.weight" ? "model.embed_tokens.weight" : changed).eq(after.Alias(changed)).all().ToBoolean());
    }

    [Fact]
    public void A_bias_of_the_update_needs_a_bias_of_the_base()
    {
        WriteAdapter(RealModels.Stories, Plain with { Targets = ModuleSelector.Names("layers.0.self_attn.q_proj"), LoraBias = true });
        Assert.Equal(
            "the adapter has lora_bias, which merging adds to a layer's bias, and the base has none in model.layers.0.self_attn.q_proj; use base and adapter side by side",
            Assert.Throws<RequestException>(() => Merge.Run(ModelSource.Resolve(_folder["adapter"]), _folder["merged"], force: false, CPU, Logger.None)).Message);
        Assert.False(Directory.Exists(_folder["merged"]));
    }

    [Fact]
    public void A_damaged_copy_is_refused_by_name()
    {
        var folder = TiedWithBiases();
        WriteAdapter(folder, Plain with { ModulesToSave = ["model.norm"] }, spoil: tensor => tensor.fill_(double.NaN));
        var error = Assert.Throws<RunException>(() => Merge.Run(ModelSource.Resolve(_folder["adapter"]), _folder["merged"], force: false, CPU, Logger.None));
        Assert.Contains("not finite", error.Message, StringComparison.Ordinal);
        Assert.Contains("model.norm.weight", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["merged"]));
    }

    /// <summary>
    /// Block by block the same numbers as from whole models, of a merged folder that is wrong on purpose: so a wrong merge would be seen.
    /// </summary>
    [Theory]
    [InlineData("plain", ScalarType.Float32)]
    [InlineData("plain", ScalarType.BFloat16)]
    [InlineData("adapted ends", ScalarType.Float32)]
    [InlineData("copied ends, tied", ScalarType.Float16)]
    public void The_comparison_is_that_of_whole_models(string plan, ScalarType stored)
    {
        using var scope = NewDisposeScope();
        var folder = TiedWithBiases();
        Store(folder, stored, (_, tensor) => tensor);
        WriteAdapter(folder, PlanOf(plan));
        var source = ModelSource.Resolve(_folder["adapter"]);
        Merge.Run(source, _folder["merged"], force: false, CPU, Logger.None);
        Store(_folder["merged"], stored, (name, tensor) => name == "model.layers.1.mlp.up_proj.weight" ? tensor * 1.5 : tensor);

        var check = MergeCheck.Of(source, _folder["merged"], CPU);
        using var adapted = source.Load(CPU, ScalarType.Float32);
        using var merged = ModelFolder.Open(_folder["merged"]).Load(CPU, ScalarType.Float32);
        var random = new Random(0);
        int[][] rows = [.. Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, 64).Select(_ => random.Next(adapted.Folder.Spec.Vocabulary)).ToArray())];
        var expected = cat([.. rows.Select(row => Logits(adapted.Model, row))]);
        var found = cat([.. rows.Select(row => Logits(merged, row))]);
        Close.Assert((expected - found).abs().max().ToDouble(), check.Largest, "largest difference");
        Close.Assert(expected.abs().max().ToDouble(), check.Scale, "largest logit");
        Assert.Equal(expected.argmax(-1).eq(found.argmax(-1)).to(ScalarType.Float64).mean().ToDouble(), check.SameChoice);
        Assert.Equal(256, check.Positions);
        Assert.True(check.Largest > 0.01 * check.Scale, $"{check}");
    }

    /// <summary>Logits that are no numbers, and a comparison that fails for another reason (on a device that is not there): what is written stays, and that is said.</summary>
    [Theory]
    [InlineData(double.NaN, "cpu", "is written, but its logits or those of base and adapter are not finite (NaN or infinity)\n  → ")]
    [InlineData(1, "cuda:99", "is written, but could not be compared with base and adapter: ")]
    public void What_is_written_outlives_a_comparison_that_fails(double norm, string device, string said)
    {
        var folder = TiedWithBiases();
        WriteAdapter(folder, Plain);
        Store(folder, ScalarType.Float32, (name, tensor) => name == "model.norm.weight" ? tensor * norm : tensor);
        var error = Assert.Throws<RunException>(() => Merge.Run(ModelSource.Resolve(_folder["adapter"]), _folder["merged"], force: false, new Device(device), Logger.None));
        Assert.StartsWith($"{_folder["merged"]} {said}", error.Message, StringComparison.Ordinal);
        Assert.Contains("\n  → ", error.Message, StringComparison.Ordinal);
        using var merged = ModelFolder.Open(_folder["merged"]).Load(CPU, ScalarType.Float32);
        Assert.Contains(double.IsNaN(norm) ? "largest difference of logits NaN" : "has not been compared", File.ReadAllText(_folder["merged/README.md"]), StringComparison.Ordinal);
    }

    /// <summary>Writes a folder's weights anew, in another type or with other numbers.</summary>
    private static void Store(string folder, ScalarType type, Func<string, Tensor, Tensor> change)
    {
        using var scope = NewDisposeScope();
        using var weights = SafetensorsFolder.Open(folder);
        SafetensorsWriter.WriteFolder(folder, [.. weights.Tensors.Values.Select(t => (t.Name, t.Shape, type))], name => change(name, weights.Alias(name).to(ScalarType.Float32)).to(type));
    }

    /// <summary>A tied model with biases, and a tokenizer beside it.</summary>
    private string TiedWithBiases()
    {
        var folder = Directory.CreateDirectory(_folder["base"]).FullName;
        var golden = Path.Combine(AppContext.BaseDirectory, "golden", "peft", "base-qwen2-tied", "model");
        foreach (var name in new[] { "config.json", "model.safetensors" }) File.WriteAllBytes(Path.Combine(folder, name), File.ReadAllBytes(Path.Combine(golden, name)));
        ModelFiles.CopyTokenizer(RealModels.Stories, folder);
        return folder;
    }

    /// <summary>An adapter with noise in all its tensors; returns the base's logits and the adapted ones.</summary>
    private (Tensor Plain, Tensor Adapted) WriteAdapter(string folder, LoraPlan plan, Action<Tensor>? spoil = null)
    {
        using var _ = no_grad();
        using var model = ModelFolder.Open(folder).Load(CPU, ScalarType.Float32);
        var before = Logits(model);
        using var set = AdapterSet.Create(plan, model.Parts, seed: 5, CPU);
        foreach (var (name, tensor) in set.Tensors) tensor.Value.detach().add_(randn(tensor.Value.shape, generator: Seeds.Generator(9, name)).mul_(0.1));
        if (spoil is not null) spoil(set.Copies[^1].Tensor.Value.detach());
        set.Activate(model.Parts);
        AdapterFolder.Write(_folder["adapter"], set, model.Parts, folder);
        return (before, Logits(model));
    }

    private static Tensor Logits(Decoder model, params int[] ids)
    {
        using var _ = no_grad();
        if (ids.Length == 0) ids = [3, 1, 41, 1, 59, 26, 5, 35, 89, 79];
        using var context = model.Packed([.. Enumerable.Range(0, ids.Length)], [0, ids.Length]);
        var pass = new Pass(context);
        return model.Logits(model.Forward(tensor(ids, ScalarType.Int64, model.Device), pass), pass);
    }
}
