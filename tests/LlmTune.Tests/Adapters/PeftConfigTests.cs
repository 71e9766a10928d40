using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Recipes;

namespace LlmTune.Tests.Adapters;

/// <summary>Keys of adapter_config.json: what PEFT's mean here, and what becomes of those that nobody knows.</summary>
public class PeftConfigTests
{
    /// <summary>The fields of LoraConfig and its base class in PEFT 0.21.2, with the defaults that it writes.</summary>
    private const string Peft = """
        { "task_type": null, "peft_type": "LORA", "auto_mapping": null, "peft_version": "0.21.2", "base_model_name_or_path": null, "revision": null, "inference_mode": false,
          "r": 8, "target_modules": null, "exclude_modules": null, "lora_alpha": 8, "lora_dropout": 0.0, "fan_in_fan_out": false, "bias": "none", "use_rslora": false,
          "modules_to_save": null, "init_lora_weights": true, "layers_to_transform": null, "layers_pattern": null, "rank_pattern": {}, "alpha_pattern": {},
          "megatron_config": null, "megatron_core": "megatron.core", "trainable_token_indices": null, "loftq_config": {}, "eva_config": null, "corda_config": null,
          "lora_ga_config": null, "use_dora": false, "velora_config": null, "alora_invocation_tokens": null, "use_qalora": false, "qalora_group_size": 16,
          "monteclora_config": null, "layer_replication": null, "lora_bias": false, "target_parameters": null, "use_bdlora": null, "arrow_config": null,
          "kasa_config": null, "ensure_weight_tying": false }
        """;

    private static JsonObject Config(string more = "{}")
    {
        var config = JsonNode.Parse(Peft)!.AsObject();
        foreach (var (key, value) in JsonNode.Parse(more)!.AsObject()) config[key] = value?.DeepClone();
        return config;
    }

    [Fact]
    public void The_table_has_every_key_of_PEFT_with_its_default()
    {
        Assert.All(Config(), pair =>
        {
            var key = PeftKey.Find(pair.Key);
            Assert.NotNull(key);
            Assert.NotEmpty(key.Meaning);
            if (key.Name is not ("peft_version" or "inference_mode")) Assert.True(key.IsDefault(pair.Value), pair.Key);
        });
        Assert.Equal(PeftKey.All.Count, PeftKey.All.Select(key => key.Name).Distinct().Count());
        Assert.Empty(PeftConfig.Read(Config(), "x").Notes);
        Assert.Empty(PeftConfig.Read(new JsonObject { ["peft_type"] = "LORA" }, "x").Notes);
    }

    public static TheoryData<string> NotBuilt => [.. PeftKey.All.Where(key => key.Use == PeftKeyUse.DefaultOnly).Select(key => key.Name)];

    [Theory]
    [MemberData(nameof(NotBuilt))]
    public void A_key_that_makes_another_adapter_of_it_is_refused_by_name_and_only_with_a_value(string key)
    {
        foreach (var nothing in (JsonNode?[])[null, false, "", new JsonArray(), new JsonObject()])
            Assert.Empty(PeftConfig.Read(Config(new JsonObject { [key] = nothing }.ToJsonString()), "x").Notes);
        foreach (var value in (JsonNode[])[true, 3, "all", new JsonArray(1, 2), new JsonObject { ["beta"] = 0.5 }])
        {
            var error = Assert.Throws<UnsupportedAdapterException>(() => PeftConfig.Read(Config(new JsonObject { [key] = value }.ToJsonString()), "x"));
            Assert.Contains($"{key} {value.ToJsonString()} is not built: {PeftKey.Find(key)!.Meaning}", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{ "use_something_new": false, "future_cfg": {}, "other": null, "list": [], "text": "" }""", false,
        "adapter_config.json: left out unknown keys that say nothing: use_something_new, future_cfg, other, list, text")]
    [InlineData("""{ "spectral_scale": 2.5 }""", true, "adapter_config.json: left out the unknown key spectral_scale: 2.5, as PEFT does")]
    [InlineData("""{ "frozen_parts": { "a": 1 } }""", true, "adapter_config.json: left out the unknown key frozen_parts: {\"a\":1}, as PEFT does")]
    [InlineData("""{ "init_lora_weights": "mica" }""", true, "init_lora_weights mica: B was frozen")]
    [InlineData("""{ "init_lora_weights": "lora_ga", "lora_ga_config": { "direction": "ArB2r" } }""", true, "init_lora_weights lora_ga: it was trained beside a base that LoRA-GA had changed")]
    public void What_is_left_out_is_said(string more, bool isWarning, string text)
    {
        var note = Assert.Single(PeftConfig.Read(Config(more), "x").Notes);
        Assert.Equal(isWarning, note.IsWarning);
        Assert.StartsWith(text, note.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "lora_alhpa": 3 }""", "unknown key lora_alhpa, did you mean 'lora_alpha'?")]
    [InlineData("""{ "rank_patern": { "q_proj": 2 } }""", "unknown key rank_patern, did you mean 'rank_pattern'?")]
    [InlineData("""{ "lora_alpha": "16" }""", "lora_alpha is \"16\", expected a number")]
    [InlineData("""{ "use_rslora": "yes" }""", "use_rslora is \"yes\", expected true or false")]
    [InlineData("""{ "target_modules": "(?<a>q)_proj" }""", "target_modules: '(?<a>q)_proj' is not a regular expression: unknown extension ?<")]
    [InlineData("""{ "rank_pattern": { "q_proj": 2, "a**": 3 } }""", "rank_pattern: 'a**' is not a regular expression: multiple repeat")]
    [InlineData("""{ "target_modules": { "q_proj": 1 } }""", "target_modules is {\"q_proj\":1}, expected a text or a list of texts")]
    [InlineData("""{ "init_lora_weights": "corda" }""", "init_lora_weights corda: the adapter goes with a changed base")]
    [InlineData("""{ "init_lora_weights": "pissa" }""", "init_lora_weights pissa: the adapter goes with a changed base")]
    [InlineData("""{ "init_lora_weights": "pissa_niter_16" }""", "init_lora_weights pissa_niter_16: the adapter goes with a changed base")]
    [InlineData("""{ "init_lora_weights": "OLoRA" }""", "init_lora_weights OLoRA: the adapter goes with a changed base")]
    [InlineData("""{ "init_lora_weights": "loftq", "loftq_config": { "loftq_bits": 4 } }""", "init_lora_weights loftq: the adapter goes with the quantized base")]
    [InlineData("""{ "init_lora_weights": "svd_of_tomorrow" }""", "init_lora_weights svd_of_tomorrow is not known")]
    public void What_cannot_be_read_rightly_is_refused(string more, string message) =>
        Assert.Contains(message, Assert.Throws<UnsupportedAdapterException>(() => PeftConfig.Read(Config(more), "x")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("""{ "init_lora_weights": false }""")]
    [InlineData("""{ "init_lora_weights": "gaussian" }""")]
    [InlineData("""{ "init_lora_weights": "eva", "eva_config": { "rho": 2.0 } }""")]
    [InlineData("""{ "init_lora_weights": "orthogonal" }""")]
    [InlineData("""{ "fan_in_fan_out": true, "task_type": "CAUSAL_LM", "inference_mode": true, "layers_pattern": "" }""")]
    public void First_numbers_that_are_only_first_numbers_are_nothing_to_speak_of(string more) => Assert.Empty(PeftConfig.Read(Config(more), "x").Notes);

    [Fact]
    public void A_config_of_MLX_is_said_to_be_that()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[PeftConfig.FileName], """{ "fine_tune_type": "lora", "num_layers": 16, "lora_parameters": { "rank": 8, "scale": 20.0 } }""");
        File.WriteAllText(folder["adapters.safetensors"], "");
        var error = Assert.Throws<UnsupportedAdapterException>(() => ModelSource.Resolve(folder.Path));
        Assert.Contains("adapter_config.json is of an adapter of MLX", error.Message, StringComparison.Ordinal);
        Assert.Contains("mlx_lm.fuse", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"\"")]
    [InlineData("null")]
    [InlineData("\"  \"")]
    public void A_base_without_a_name_is_asked_for(string name)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[PeftConfig.FileName], $$"""{ "peft_type": "LORA", "base_model_name_or_path": {{name}} }""");
        Assert.Equal(
            $"{folder.Path} names no base model (base_model_name_or_path); say --base MODEL", Assert.Throws<RequestException>(() => ModelSource.Resolve(folder.Path)).Message);
    }

    [Theory]
    [InlineData("adapter_model.bin", "It holds adapter_model.bin, PyTorch's pickle")]
    [InlineData("global_step100", "It holds a checkpoint of DeepSpeed")]
    [InlineData("nothing.txt", null)]
    public void A_folder_without_safetensors_says_what_it_has(string file, string? said)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[PeftConfig.FileName], """{ "peft_type": "LORA" }""");
        File.WriteAllText(folder[file], "");
        using var model = TinyModels.Make("llama");
        var message = Assert.Throws<RequestException>(() => AdapterFolder.Load(folder.Path, model.Parts, CPU, trainable: false)).Message;
        Assert.StartsWith("adapter_model.safetensors is missing in", message, StringComparison.Ordinal);
        Assert.Equal(said is not null, message.Contains("It holds", StringComparison.Ordinal));
        if (said is not null) Assert.Contains(said, message, StringComparison.Ordinal);
    }
}
