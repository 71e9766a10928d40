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

    private static Tensor Logits(Decoder model)
    {
        using var _ = no_grad();
        int[] ids = [3, 1, 41, 1, 59, 26, 5, 35, 89, 79];
        using var context = model.Packed([.. Enumerable.Range(0, ids.Length)], [0, ids.Length]);
        var pass = new Pass(context);
        return model.Logits(model.Forward(tensor(ids, ScalarType.Int64, model.Device), pass), pass);
    }
}
