using System.Globalization;
using System.Text.Json.Nodes;
using LlmTune.Layers;
using LlmTune.Models;

namespace LlmTune.Tests;

/// <summary>Small random models: one of every registered family.</summary>
public static class TinyModels
{
    public const int Vocabulary = 61;

    /// <summary>Names of the families, as rows of a theory.</summary>
    public static IEnumerable<TheoryDataRow<string>> Families => FamilyTable.All.Select(family => new TheoryDataRow<string>(family.ModelType));

    /// <summary>The config.json of one.</summary>
    public static string Config(string family, int layers = 3) => $$"""
        {
          "model_type": "{{family}}", "vocab_size": {{Vocabulary}}, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": {{layers}},
          "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
          "hidden_act": "silu", "tie_word_embeddings": {{(family == "qwen2" ? "true" : "false")}}, "eos_token_id": 2
        }
        """;

    public static ModelSpec Spec(string family, int layers = 3)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], Config(family, layers));
        return FamilyTable.Read(ConfigJson.Read(folder["config.json"]));
    }

    public static Decoder Make(string family, Func<string, bool>? trainable = null, int layers = 3, long seed = 7) =>
        new(Spec(family, layers), new RandomWeights(Golden.Device, ScalarType.Float32, trainable ?? (_ => false), seed, standardDeviation: 0.2));

    /// <summary>A model of transformers' class with these parameters; null where its family is not built.</summary>
    public static Decoder? OfNames(string architecture, IReadOnlyCollection<string> names)
    {
        if (FamilyTable.All.FirstOrDefault(family => family.Architecture == architecture) is not { } found) return null;
        var layers = names.Select(name => name.Split('.')).Where(parts => parts is ["model", "layers", ..]).Max(parts => int.Parse(parts[2], CultureInfo.InvariantCulture)) + 1;
        using var folder = new TemporaryFolder();
        var config = JsonNode.Parse(Config(found.ModelType, layers))!.AsObject();
        config["tie_word_embeddings"] = !names.Contains("lm_head.weight");
        config["attention_bias"] = names.Contains("model.layers.0.self_attn.o_proj.bias");
        config["mlp_bias"] = names.Contains("model.layers.0.mlp.up_proj.bias");
        File.WriteAllText(folder["config.json"], config.ToJsonString());
        return new Decoder(FamilyTable.Read(ConfigJson.Read(folder["config.json"])), new RandomWeights(CPU, ScalarType.Float32, _ => true, seed: 1, standardDeviation: 0.2));
    }
}
