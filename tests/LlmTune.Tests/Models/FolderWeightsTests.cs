using LlmTune.Io;
using LlmTune.Models;

namespace LlmTune.Tests.Models;

/// <summary>Folders that do not fit: one error that lists everything.</summary>
public sealed class FolderWeightsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("llmtune-model-");

    private void Write(string config, Action<Dictionary<string, Tensor>>? change = null)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "config.json"), config);
        var spec = FamilyTable.Read(ConfigJson.Read(Path.Combine(_folder.FullName, "config.json")));
        var tensors = Decoder.TensorShapes(spec).ToDictionary(t => t.Name, t => ones(t.Shape));
        change?.Invoke(tensors);
        SafetensorsWriter.Write(Path.Combine(_folder.FullName, "model.safetensors"), tensors);
    }

    private static string Config(bool tied = false, string more = "") => $$"""
        { "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2,
          "tie_word_embeddings": {{(tied ? "true" : "false")}}{{more}} }
        """;

    [Fact]
    public void Missing_unexpected_and_misshaped_tensors_are_listed_together()
    {
        Write(Config(), tensors =>
        {
            tensors.Remove("model.norm.weight");
            tensors["model.layers.0.mlp.up_proj.weight"] = ones(12, 9);
            tensors["model.layers.3.mlp.up_proj.weight"] = ones(12, 8);
            tensors["model.layers.0.self_attn.q_proj.weight"] = ones([8, 8], ScalarType.Int64);
            tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ones(2);   // old folders have it; nobody needs it
        });
        var error = Assert.Throws<RequestException>(() => ModelFolder.Open(_folder.FullName).Load(CPU, ScalarType.Float32));
        Assert.Equal(
            $"""
            the weights in {_folder.FullName} do not fit its config.json:
              model.layers.0.self_attn.q_proj.weight: type I64, expected F32, BF16 or F16
              model.layers.0.mlp.up_proj.weight: shape (12, 9), config.json asks for (12, 8)
              model.norm.weight: missing, expected shape (8)
              model.layers.3.mlp.up_proj.weight: unexpected, the model has no such tensor
              → if the model needs none of the unexpected ones, leave them out: model.ignore_unexpected_tensors: true in a run file, or --ignore-unexpected-tensors
            """.ReplaceLineEndings("\n"), error.Message);
    }

    [Theory]
    [InlineData(24, "F8_E4M3")]
    [InlineData(23, "F8_E5M2")]
    public void Floats_of_8_bits_are_called_by_their_name(int type, string name)
    {
        Write(Config(), tensors => tensors["model.layers.0.self_attn.q_proj.weight"] = empty([8, 8], (ScalarType)type));
        var message = Assert.Throws<RequestException>(() => ModelFolder.Open(_folder.FullName).Load(CPU, ScalarType.Float32)).Message;
        Assert.Contains($"\n  model.layers.0.self_attn.q_proj.weight: type {name} (floats of 8 bits), expected F32, BF16 or F16\n", message, StringComparison.Ordinal);
        Assert.EndsWith("\n  models in floats of 8 bits are not built; take the same model in bfloat16", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_copy_of_a_tied_head_is_no_surprise_and_a_different_one_is_an_error()
    {
        Write(Config(tied: true), tensors => tensors["lm_head.weight"] = ones(10, 8));
        ModelFolder.Open(_folder.FullName).Load(CPU, ScalarType.Float32).Dispose();
        Write(Config(tied: true), tensors => tensors["lm_head.weight"] = zeros(10, 8));
        var error = Assert.Throws<RequestException>(() => ModelFolder.Open(_folder.FullName).Load(CPU, ScalarType.Float32));
        Assert.Contains("set it to false to use both", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt9", "model_type 'gpt9' is not built; there are ")]
    public void An_unknown_family_is_named(string type, string expected) => Refused(Config().Replace("\"llama\"", $"\"{type}\"", StringComparison.Ordinal), expected);

    [Theory]
    [InlineData(""", "hidden_act": "gelu" """, "hidden_act 'gelu' is not built; there is silu")]
    [InlineData(""", "rope_scaling": { "rope_type": "longrope", "factor": 2 } """, "rotary scaling 'longrope' is not built")]
    [InlineData(""", "rope_scaling": { "rope_type": "linear" } """, "rotary scaling 'linear' needs factor")]
    [InlineData(""", "architectures": ["LlamaForSequenceClassification"] """, "architecture 'LlamaForSequenceClassification' is not built")]
    [InlineData(""", "quantization_config": { "load_in_4bit": true } """, "quantization_config: models that are stored quantized are not built")]
    [InlineData(""", "attention_dropout": 0.1 """, "attention_dropout 0.1 is not built")]
    [InlineData(""", "num_key_value_heads": 3 """, "num_key_value_heads is 3, expected a divisor of num_attention_heads (2)")]
    [InlineData(""", "num_key_value_heads": "2" """, "num_key_value_heads is \"2\", expected a number")]
    [InlineData(""", "rms_norm_eps": "small" """, "rms_norm_eps is \"small\", expected a number")]
    public void What_is_not_built_or_makes_no_sense_is_named(string more, string expected) => Refused(Config(more: more), expected);

    [Fact]
    public void A_config_that_is_not_there_or_no_json_is_named()
    {
        Assert.Contains("config.json is not there", Assert.Throws<RequestException>(() => ModelFolder.Open(_folder.FullName)).Message, StringComparison.Ordinal);
        Refused("{ \"model_type\": ", "config.json:1:17: not JSON: it ends within a value");
        Refused("[]", "expected a JSON object");
        Refused("{}", "model_type is missing");
        Refused("""{ "model_type": "llama" }""", "hidden_size is missing");
    }

    [Fact]
    public void Frozen_weights_stay_in_the_mapped_file_and_trained_ones_are_copies()
    {
        Write(Config());
        var bytes = File.ReadAllBytes(Path.Combine(_folder.FullName, "model.safetensors"));
        using (var model = ModelFolder.Open(_folder.FullName).Load(CPU, ScalarType.Float32, name => name == "model.norm.weight"))
        {
            using var _ = no_grad();
            model.Norm.Weight.Value.detach().fill_(3);
        }
        Assert.Equal(bytes, File.ReadAllBytes(Path.Combine(_folder.FullName, "model.safetensors")));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private void Refused(string config, string expected)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "config.json"), config);
        var error = Assert.ThrowsAny<RequestException>(() => ModelFolder.Open(_folder.FullName));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("config.json", error.Message, StringComparison.Ordinal);
    }
}
