using System.Text.Json.Nodes;
using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Recipes;
using Serilog.Core;

namespace LlmTune.Tests.Models;

/// <summary>Model folders that transformers reads: the same logits as from the plain folder, or an error that explains what is missing.</summary>
public sealed class FolderReadingTests : IDisposable
{
    private const string Embedding = "model.embed_tokens.weight", Head = "lm_head.weight";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Changes of config.json under which transformers 5.23 loads the same model (checked there with stories260K).</summary>
    [Theory]
    [InlineData("""{ "architectures": ["LLaMAForCausalLM"] }""")]
    [InlineData("""{ "architectures": ["LlamaModel"] }""")]
    [InlineData("""{ "architectures": ["MyOwnLlama"] }""")]
    [InlineData("""{ "architectures": [] }""")]
    [InlineData("""{ "architectures": null }""")]
    [InlineData("""{ "quantization_config": null }""")]
    [InlineData("""{ "quantization_config": {} }""")]
    [InlineData("""{ "quantization_config": { "quant_method": "none" } }""")]
    [InlineData("""{ "quantization_config": { "load_in_4bit": false, "load_in_8bit": false } }""")]
    [InlineData("""{ "quantization_config": { "quant_method": "bitsandbytes", "load_in_4bit": false, "load_in_8bit": false, "bnb_4bit_quant_type": "fp4" } }""")]
    [InlineData("""{ "router_z": NaN, "more": { "scale": -Infinity, "bound": Infinity } }""")]
    [InlineData("""{ "rope_scaling": {} }""")]
    [InlineData("""{ "rope_scaling": null, "rope_parameters": { "rope_type": "default", "rope_theta": 10000.0 } }""")]
    public void A_config_that_says_it_otherwise_is_the_same_model(string change)
    {
        var expected = Plain();
        var config = File.ReadAllText(_folder["config.json"]).TrimEnd().TrimEnd('}') + ", " + change.TrimStart().TrimStart('{');
        // Of repeated keys the last one counts.
        File.WriteAllText(_folder["config.json"], config);
        Close.Assert(expected, Logits(ModelFolder.Open(_folder.Path)), change, 0);
    }

    [Fact]
    public void A_byte_order_mark_before_a_config_is_no_matter()
    {
        var expected = Plain();
        foreach (var name in (string[])["config.json", "generation_config.json"])
        {
            var text = File.Exists(_folder[name]) ? File.ReadAllText(_folder[name]) : """{ "eos_token_id": 2 }""";
            File.WriteAllText(_folder[name], text, new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        }
        var folder = ModelFolder.Open(_folder.Path);
        Assert.Equal([2], folder.GenerationEndTokens);
        Close.Assert(expected, Logits(folder), "logits", 0);
    }

    /// <summary>What a folder may call its tensors: all of them stand for the same model.</summary>
    [Theory]
    [InlineData("without the prefix")]
    [InlineData("the head instead of the embedding")]
    [InlineData("both")]
    [InlineData("an index that names the head")]
    [InlineData("an index that names the embedding")]
    [InlineData("a body alone, sharded")]
    public void Tensors_are_found_where_transformers_finds_them(string kind)
    {
        var expected = Plain(tied: true);
        Rewrite(tensors => kind switch
        {
            "without the prefix" or "a body alone, sharded" => tensors.Select(t => (t.Name["model.".Length..], t.Value)),
            "the head instead of the embedding" or "an index that names the embedding" => tensors.Select(t => (t.Name == Embedding ? Head : t.Name, t.Value)),
            "both" => tensors.Append((Head, tensors.Single(t => t.Name == Embedding).Value)),
            _ => tensors,
        }, shards: kind.Contains("index", StringComparison.Ordinal) || kind.Contains("sharded", StringComparison.Ordinal));
        if (kind == "an index that names the head") AddToIndex(Head);
        if (kind == "an index that names the embedding") AddToIndex(Embedding);

        var folder = ModelFolder.Open(_folder.Path);
        Close.Assert(expected, Logits(folder), kind, 0);
        using var weights = folder.OpenWeights();
        Assert.Equal(Decoder.TensorShapes(folder.Spec).Select(t => t.Name).Order(), weights.Tensors.Keys.Where(name => name != Head).Order());
    }

    [Fact]
    public void An_index_that_names_another_tensor_that_is_not_there_is_still_damage()
    {
        Plain(tied: true);
        Rewrite(tensors => tensors, shards: true);
        AddToIndex("model.layers.7.mlp.up_proj.weight");
        Assert.Contains("lacks model.layers.7.mlp.up_proj.weight", Assert.Throws<RunException>(() => Logits(ModelFolder.Open(_folder.Path))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_head_is_explained()
    {
        Plain(tied: true);
        File.WriteAllText(_folder["config.json"], TinyModels.Config("qwen2").Replace("\"tie_word_embeddings\": true", "\"use_cache\": true", StringComparison.Ordinal));
        var error = Assert.Throws<RequestException>(() => Logits(ModelFolder.Open(_folder.Path)));
        Assert.Contains("lm_head.weight: missing, expected shape (61, 24); the folder has no output head", error.Message, StringComparison.Ordinal);
        Assert.Contains("tie_word_embeddings: true", error.Message, StringComparison.Ordinal);

        Rewrite(tensors => tensors.Append(("score.weight", ones(1, 24))));
        Assert.Contains(
            "lm_head.weight: missing, expected shape (61, 24): the folder has the head of a classifier or a reward model (score.weight)",
            Assert.Throws<RequestException>(() => Logits(ModelFolder.Open(_folder.Path))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_that_the_model_has_no_use_for_are_left_out_on_request()
    {
        var expected = Plain();
        Rewrite(tensors => [.. tensors, ("v_head.summary.weight", ones(1, 24)), ("model.layers.3.eh_proj.weight", ones(24, 48)), ("model.layers.0.self_attn.rotary_emb.inv_freq", ones(3))]);
        var error = Assert.Throws<RequestException>(() => Logits(ModelFolder.Open(_folder.Path)));
        Assert.Contains("v_head.summary.weight: unexpected", error.Message, StringComparison.Ordinal);
        Assert.Contains("model.ignore_unexpected_tensors: true in a run file, or --ignore-unexpected-tensors", error.Message, StringComparison.Ordinal);

        var folder = ModelFolder.Open(_folder.Path, leaveOut: true);
        Close.Assert(expected, Logits(folder), "logits", 0);
        Assert.Equal(["model.layers.3.eh_proj.weight", "v_head.summary.weight"], folder.LeftOut);
        using (var weights = folder.OpenWeights()) Assert.Equal(Decoder.TensorShapes(folder.Spec).Select(t => t.Name).Order(), weights.Tensors.Keys.Order());

        // What does not fit is not left out with them.
        Rewrite(tensors => tensors.Select(t => (t.Name, t.Name == "model.norm.weight" ? ones(23) : t.Value)));
        Assert.Contains(
            "model.norm.weight: shape (23), config.json asks for (24)",
            Assert.Throws<RequestException>(() => Logits(ModelFolder.Open(_folder.Path, leaveOut: true))).Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// Frequencies of AutoModelForCausalLM (transformers 5.23) for heads of 8 dimensions and max_position_embeddings 64, the dynamic ones at 80
    /// positions; what cos and sin are multiplied by; and how far the scaling reaches.
    /// </summary>
    [Theory]
    [InlineData("{}", "1 0.1 0.01 0.001", 1, 64)]
    [InlineData("""{ "rope_theta": 5000.0 }""", "1 0.1189207 0.0141421 0.0016818", 1, 64)]
    [InlineData("""{ "rope_parameters": { "rope_type": "linear", "factor": 2.0, "rope_theta": 20000.0 } }""", "0.5 0.0420448 0.0035355 0.0002973", 1, 128)]
    [InlineData("""{ "rope_parameters": { "rope_type": "default", "rope_theta": 20000.0 }, "rope_scaling": { "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32 } }""",
        "1 0.025 0.0025 0.00025", 1.138629, 128)]
    [InlineData("""{ "rope_theta": 7000.0, "rope_parameters": { "rope_type": "default", "rope_theta": 20000.0 }, "rope_scaling": { "type": "linear", "factor": 4.0 } }""",
        "0.25 0.0273316 0.0029881 0.0003267", 1, 256)]
    [InlineData("""{ "rope_parameters": { "rope_type": "default", "rope_theta": 20000.0 }, "rope_scaling": { "type": "linear", "factor": 4.0, "rope_theta": 300.0 } }""",
        "0.25 0.0600703 0.0144338 0.0034682", 1, 256)]
    [InlineData("""{ "rope_parameters": { "rope_type": "linear", "factor": 2.0, "rope_theta": 20000.0 }, "rope_scaling": null }""", "0.5 0.0420448 0.0035355 0.0002973", 1, 128)]
    [InlineData("""{ "rope_parameters": { "rope_type": "linear", "factor": 2.0, "rope_theta": 20000.0 }, "rope_scaling": {} }""", "0.5 0.0420448 0.0035355 0.0002973", 1, 128)]
    [InlineData("""{ "rope_parameters": null, "rope_scaling": { "type": "linear", "factor": 4 } }""", "0.25 0.025 0.0025 0.00025", 1, 256)]
    [InlineData("""{ "original_max_position_embeddings": 16, "rope_scaling": { "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32 } }""",
        "1 0.025 0.0025 0.00025", 1.138629, 64)]
    [InlineData("""{ "rope_scaling": { "type": "linear", "rope_type": "yarn", "factor": 4.0 } }""", "1 0.0625 0.0025 0.00025", 1.138629, 256)]
    [InlineData("""{ "rope_scaling": { "type": "dynamic", "factor": 2.0 } }""", "1 0.087358 0.007631 0.000667", 1, 128)]
    [InlineData("""{ "rope_scaling": { "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16 } }""",
        "0.576056 0.0125 0.00125 0.000125", 1, 64)]
    public void Rotary_settings_are_read_as_transformers_reads_them(string rotary, string frequencies, double attention, int reach)
    {
        foreach (var family in (string[])["llama", "mistral", "qwen2", "qwen3"])
        {
            var config = JsonNode.Parse($$"""
                { "model_type": "{{family}}", "vocab_size": 32, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 4,
                  "num_key_value_heads": 4, "head_dim": 8, "max_position_embeddings": 64 }
                """)!.AsObject();
            foreach (var (key, value) in JsonNode.Parse(rotary)!.AsObject()) config[key] = value?.DeepClone();
            File.WriteAllText(_folder["config.json"], config.ToJsonString());
            var spec = FamilyTable.Read(ConfigJson.Read(_folder["config.json"]));
            var rope = spec.Blocks[0].Attention.Rope;
            Assert.Equal(reach, spec.MaxPositions);
            Assert.Equal(attention, rope.AttentionFactor, 5);
            using var scope = NewDisposeScope();
            var expected = frequencies.Split(' ').Select(f => double.Parse(f, System.Globalization.CultureInfo.InvariantCulture)).ToArray();
            Assert.All(rope.Frequencies(80).data<float>().ToArray().Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 6));
        }
    }

    [Fact]
    public void A_run_and_an_evaluation_take_rows_as_long_as_the_scaling_reaches()
    {
        Plain();
        var config = JsonNode.Parse(File.ReadAllText(_folder["config.json"]))!.AsObject();
        config["rope_scaling"] = new JsonObject { ["type"] = "linear", ["factor"] = 4.0 };
        File.WriteAllText(_folder["config.json"], config.ToJsonString());
        ModelFiles.CopyTokenizer(RealModels.Stories, _folder.Path);
        File.WriteAllText(_folder["rows.jsonl"], $$"""{"input_ids": [{{string.Join(", ", Enumerable.Range(0, 200).Select(i => i % 61))}}]}""");
        File.WriteAllText(_folder["run.yaml"], $$"""
            model: { path: {{_folder.Path}} }
            adapter: { r: 2 }
            data: { cache: false, max_length: 1000, sources: [{ path: {{_folder["rows.jsonl"]}}, format: tokenized }] }
            training: { output_dir: {{_folder["out"]}}, max_steps: 1 }
            """);
        using var plan = RunPlan.Make(RunConfig.Load(_folder["run.yaml"]), Logger.None);
        Assert.Equal((256, 200), (plan.Corpus.MaxLength, plan.Corpus.Length(0)));
    }

    /// <summary>Writes a small model; its logits.</summary>
    private Tensor Plain(bool tied = false)
    {
        var family = tied ? "qwen2" : "llama";
        File.WriteAllText(_folder["config.json"], TinyModels.Config(family));
        using var model = TinyModels.Make(family);
        SafetensorsWriter.Write(_folder["model.safetensors"], model.Tensors.SelectMany(tensor => tensor.Views).Select(tensor => KeyValuePair.Create(tensor.Name, tensor.View.cpu())));
        return Logits(ModelFolder.Open(_folder.Path));
    }

    private void Rewrite(Func<IReadOnlyList<(string Name, Tensor Value)>, IEnumerable<(string Name, Tensor Value)>> change, bool shards = false)
    {
        List<(string Name, Tensor Value)> tensors;
        using (var stored = SafetensorsFolder.Open(_folder.Path)) tensors = [.. change([.. stored.Tensors.Keys.Select(name => (name, stored.Alias(name).clone()))])];
        File.Delete(_folder["model.safetensors"]);
        var byName = tensors.ToDictionary(t => t.Name, t => t.Value);
        SafetensorsWriter.WriteFolder(
            _folder.Path, [.. tensors.Select(t => (t.Name, t.Value.shape, t.Value.dtype))], name => byName[name], maxShardBytes: shards ? 8_000 : SafetensorsWriter.DefaultShardBytes);
    }

    private void AddToIndex(string tensor)
    {
        var file = _folder["model.safetensors.index.json"];
        var index = JsonNode.Parse(File.ReadAllText(file))!;
        var map = index["weight_map"]!.AsObject();
        map[tensor] = map.Last().Value!.GetValue<string>();
        File.WriteAllText(file, index.ToJsonString());
    }

    private static Tensor Logits(ModelFolder folder)
    {
        using var _ = no_grad();
        int[] ids = [3, 1, 4, 1, 5, 9, 2, 6];
        using var model = folder.Load(CPU, ScalarType.Float32);
        using var context = model.Packed([.. Enumerable.Range(0, ids.Length)], [0, ids.Length]);
        var pass = new Pass(context);
        return model.Logits(model.Forward(tensor(ids, ScalarType.Int64, model.Device), pass), pass);
    }
}
