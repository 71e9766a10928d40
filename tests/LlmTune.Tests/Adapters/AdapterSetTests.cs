using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Training;

namespace LlmTune.Tests.Adapters;

/// <summary>Sets of every kind of part: fresh ones change nothing, trained ones leave the base alone, switching is complete.</summary>
public class AdapterSetTests
{
    private static LoraPlan Plan(params string[] targets) => new() { Rank = 4, Alpha = 8, Targets = ModuleSelector.Names(targets) };

    /// <summary>Adapters of linear layers and of both ends, copies of norms and biases.</summary>
    private static LoraPlan Everything(bool tying = false) => Plan("embed_tokens", "q_proj", "down_proj", "lm_head") with
    {
        ModulesToSave = ["norm"],
        Bias = BiasTraining.All,
        EnsureWeightTying = tying,
    };

    public static IEnumerable<TheoryDataRow<string, bool>> Families =>
        TinyModels.Families.SelectMany(row => new[] { false, true }.Select(tying => new TheoryDataRow<string, bool>(row.Data, tying)));

    [Theory]
    [MemberData(nameof(Families))]
    public void A_fresh_set_changes_nothing(string family, bool tying)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        var before = Logits(model);
        using var set = AdapterSet.Create(Everything(tying), model.Parts, seed: 3, model.Device);
        set.Activate(model.Parts);
        Close.Assert(before, Logits(model), "logits", 1e-6);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Training_leaves_the_base_alone_and_switching_off_gives_it_back(string family, bool tying)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        var (weights, logits) = (model.Tensors.Select(t => t.Value.clone()).ToArray(), Logits(model));
        using var set = AdapterSet.Create(Everything(tying), model.Parts, seed: 3, model.Device);
        set.Activate(model.Parts);
        var before = set.Tensors.ToDictionary(t => t.Name, t => t.Tensor.Value.clone());
        var trainer = new Trainer(model, new AdamW(FlatParameters.Group(set.Tensors.Select(t => t.Tensor), 0), 0.9, 0.999, 1e-8), maxGradientNorm: 1, recomputed: 1, seed: 1);
        var document = new Document([3, 1, 4, 1, 5, 9, 2, 6], [false, true, true, true, true, true, true, true]);
        var losses = Enumerable.Range(0, 20).Select(_ => trainer.Step([TokenBatch.Of([document])], 1e-2).Loss).ToArray();
        Assert.True(losses[^1] < losses[0] * 0.7, $"from {losses[0]} to {losses[^1]}");
        foreach (var (name, tensor) in set.Tensors)
            Assert.False(before[name].eq(tensor.Value).all().ToBoolean(), $"{name} was not trained");

        foreach (var (old, now) in weights.Zip(model.Tensors)) Assert.True(old.eq(now.Value).all().ToBoolean());
        var trained = Logits(model);
        AdapterSet.Deactivate(model.Parts);
        Assert.True(logits.eq(Logits(model)).all().ToBoolean());

        // From one set to another and back: what the other does not name is the base's.
        using var other = AdapterSet.Create(Plan("v_proj"), model.Parts, seed: 3, model.Device);
        other.Activate(model.Parts);
        Close.Assert(logits, Logits(model), "logits of a fresh set after another", 1e-6);
        set.Activate(model.Parts);
        Assert.True(trained.eq(Logits(model)).all().ToBoolean());
    }

    [Fact]
    public void A_module_that_is_copied_whole_gets_no_adapter_and_its_parts_are_copied()
    {
        using var model = TinyModels.Make("qwen2");
        using var set = AdapterSet.Create(Plan("q_proj", "up_proj") with { ModulesToSave = ["layers.1.self_attn"] }, model.Parts, 1, model.Device);
        Assert.Equal(
            ["model.layers.0.mlp.up_proj", "model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj", "model.layers.2.mlp.up_proj", "model.layers.2.self_attn.q_proj"],
            set.Adapters.Select(adapter => adapter.Module).Order());
        string[] attention = ["k_proj.bias", "k_proj.weight", "o_proj.weight", "q_proj.bias", "q_proj.weight", "v_proj.bias", "v_proj.weight"];
        Assert.Equal(
            attention.Select(name => $"base_model.model.model.layers.1.self_attn.{name}"),
            set.Tensors.Select(t => t.Name).Where(name => !name.Contains("lora_", StringComparison.Ordinal)).Order());
    }

    [Fact]
    public void Copies_have_the_type_of_the_model_and_adapters_are_float32()
    {
        using var model = new Decoder(TinyModels.Spec("qwen2"), new RandomWeights(CPU, ScalarType.BFloat16, _ => false, seed: 1));
        using var set = AdapterSet.Create(Everything(), model.Parts, 1, CPU);
        Assert.All(set.Copies, copy => Assert.Equal(ScalarType.BFloat16, copy.Tensor.Value.dtype));
        Assert.All(set.Adapters.SelectMany(adapter => adapter.Tensors), tensor => Assert.Equal(ScalarType.Float32, tensor.Value.dtype));
        set.Activate(model.Parts);
        Assert.Equal(ScalarType.BFloat16, Logits(model).dtype);
    }

    [Fact]
    public void What_does_not_fit_the_model_is_said_with_what_there_is()
    {
        using var model = TinyModels.Make("qwen2");
        Assert.Equal(
            "modules_to_save [head_of_state] names no module of the model; it has embed_tokens, input_layernorm, q_proj, k_proj, v_proj, o_proj, "
            + "post_attention_layernorm, gate_proj, up_proj, down_proj, norm, lm_head",
            Error(Plan("q_proj") with { ModulesToSave = ["head_of_state", "norm"] }));
        Assert.Equal(
            "lora_bias goes with linear layers, and target_modules names the embedding model.embed_tokens; leave one of them out",
            Error(Plan("q_proj", "embed_tokens") with { LoraBias = true }));
        Assert.StartsWith(
            "rank_pattern has an entry that is not a regular expression (", Error(Plan("q_proj") with { RankPattern = [("(", 3)] }), StringComparison.Ordinal);
        Assert.Equal(
            "target_modules [wq] names no linear layer or embedding of the model; it has embed_tokens, q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head",
            Error(Plan("wq")));

        string Error(LoraPlan plan) => Assert.Throws<RequestException>(() => AdapterSet.Create(plan, model.Parts, 1, CPU)).Message;
    }

    /// <summary>PEFT matches (.*\.)?(KEY)$.</summary>
    [Fact]
    public void An_entry_of_rank_pattern_may_name_several_modules()
    {
        using var model = TinyModels.Make("qwen2");
        using var set = AdapterSet.Create(Plan("q_proj", "k_proj", "v_proj") with { RankPattern = [("q_proj|v_proj", 3)] }, model.Parts, 1, CPU);
        var ranks = set.Tensors.Where(t => t.Name.EndsWith("lora_A.weight", StringComparison.Ordinal))
            .GroupBy(t => t.Name.Split('.')[^3]).ToDictionary(group => group.Key, group => group.Select(t => t.Tensor.Value.shape[0]).Distinct().Single());
        Assert.Equal(new Dictionary<string, long> { ["q_proj"] = 3, ["k_proj"] = 4, ["v_proj"] = 3 }, ranks);
    }

    [Theory]
    [InlineData("""{ "peft_type": "LORA", "rank_pattern": { "q_proj": "8" } }""", "rank_pattern of q_proj is \"8\", expected a number")]
    [InlineData("""{ "peft_type": "LORA", "alpha_pattern": { "q_proj": null } }""", "alpha_pattern of q_proj is null, expected a number")]
    [InlineData("""{ "peft_type": "LORA", "layers_to_transform": [1.5] }""", "layers_to_transform has 1.5, expected the number of a layer")]
    public void A_config_with_what_is_no_number_is_refused_by_name(string json, string message)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[PeftConfig.FileName], json);
        using var model = TinyModels.Make("qwen2");
        var error = Assert.Throws<UnsupportedAdapterException>(() => AdapterFolder.Load(folder.Path, model.Parts, CPU, trainable: false));
        Assert.EndsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_whose_tied_ends_differ_is_refused()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make("qwen2");
        using var folder = new TemporaryFolder();
        using (var set = AdapterSet.Create(Plan("q_proj") with { ModulesToSave = ["embed_tokens"] }, model.Parts, 1, CPU))
        {
            // Saved apart, and then said to be one.
            AdapterFolder.Write(folder.Path, set, model.Parts, null);
            var tensors = set.Saved.Select(t => KeyValuePair.Create(AdapterFolder.Key(t.Module, t.Name), t.Value))
                .Append(KeyValuePair.Create("base_model.model.lm_head.weight", zeros(TinyModels.Vocabulary, 24)));
            SafetensorsWriter.Write(folder[AdapterFolder.WeightsName], tensors);
        }
        var config = folder[PeftConfig.FileName];
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"ensure_weight_tying\": false", "\"ensure_weight_tying\": true", StringComparison.Ordinal));
        Assert.Equal(
            $"{folder[AdapterFolder.WeightsName]} does not fit the model:\n  base_model.model.lm_head.weight: differs from the embedding's, "
            + "and ensure_weight_tying says that both are the same numbers",
            Assert.Throws<RequestException>(() => AdapterFolder.Load(folder.Path, model.Parts, CPU, trainable: false)).Message);
    }

    private static Tensor Logits(Decoder model)
    {
        using var _ = no_grad();
        int[] ids = [3, 1, 4, 1, 5, 9, 2, 6];
        var pass = new Pass(model.Packed([.. Enumerable.Range(0, ids.Length)], [0, ids.Length]));
        return model.Logits(model.Forward(tensor(ids, ScalarType.Int64, model.Device), pass), pass);
    }

    /// <summary>Another model's adapter is told by one sentence, in five lines at most; what does not fit otherwise is named tensor by tensor.</summary>
    [Theory]
    [InlineData("q_proj,v_proj", 36, 3, " it was made for width 24, this model has 36; it names models/other as its base", 5)]
    [InlineData("o_proj", 36, 3, " it was made for width 24, this model has 36; it names models/other as its base", 4)]
    [InlineData("q_proj", 24, 2, " it was made for 3 layers, this model has 2; it names models/other as its base", 3)]
    [InlineData("gate_proj,up_proj,down_proj", 36, 1, " it was made for width 24 and 3 layers, this model has 36 and 1; it names models/other as its base", 5)]
    public void An_adapter_of_another_model_says_for_which_it_was_made(string targets, int width, int layers, string said, int lines)
    {
        using var folder = new TemporaryFolder();
        using (var made = TinyModels.Make("llama"))
        using (var set = AdapterSet.Create(new LoraPlan { Rank = 2, Alpha = 4, Targets = ModuleSelector.Names(targets.Split(',')) }, made.Parts, seed: 1, Golden.Device))
            AdapterFolder.Write(folder.Path, set, made.Parts, "models/other");
        var config = TinyModels.Config("llama", layers).Replace("\"hidden_size\": 24", $"\"hidden_size\": {width}", StringComparison.Ordinal);
        File.WriteAllText(folder["config.json"], config);
        using var other = Decoder.Outline(ModelFolder.Open(folder.Path).Spec);
        var error = Assert.Throws<RequestException>(() => AdapterFolder.Load(folder.Path, other.Parts, CPU, trainable: false));
        Assert.StartsWith($"{folder[AdapterFolder.WeightsName]} does not fit the model:{said}\n  base_model.model.model.layers.", error.Message, StringComparison.Ordinal);
        Assert.Equal(lines, error.Message.Split('\n').Length);
    }
}
