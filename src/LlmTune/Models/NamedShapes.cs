using System.Text.Json.Nodes;

namespace LlmTune.Models;

/// <summary>Shapes of models by name, as their publishers' config.json has them.</summary>
public static class NamedShapes
{
    public static IReadOnlyDictionary<string, string> All { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["tiny"] = """
            {
              "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 512, "hidden_size": 64, "intermediate_size": 192,
              "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "hidden_act": "silu",
              "max_position_embeddings": 1024, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "attention_bias": false, "attention_dropout": 0.0,
              "initializer_range": 0.02, "tie_word_embeddings": true, "torch_dtype": "float32", "use_cache": true
            }
            """,
        ["qwen2.5-0.5b"] = Qwen25(width: 896, inner: 4864, layers: 24, heads: 14, keyValueHeads: 2, vocabulary: 151936, positions: 32768, isTied: true),
        ["qwen2.5-1.5b"] = Qwen25(width: 1536, inner: 8960, layers: 28, heads: 12, keyValueHeads: 2, vocabulary: 151936, positions: 32768, isTied: true),
        ["qwen2.5-3b"] = Qwen25(width: 2048, inner: 11008, layers: 36, heads: 16, keyValueHeads: 2, vocabulary: 151936, positions: 32768, isTied: true),
        ["qwen2.5-7b"] = Qwen25(width: 3584, inner: 18944, layers: 28, heads: 28, keyValueHeads: 4, vocabulary: 152064, positions: 131072, isTied: false),
        ["llama3-8b"] = """
            {
              "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336,
              "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_act": "silu",
              "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "rope_scaling": null, "attention_bias": false,
              "attention_dropout": 0.0, "mlp_bias": false, "initializer_range": 0.02, "pretraining_tp": 1, "tie_word_embeddings": false,
              "bos_token_id": 128000, "eos_token_id": 128001, "torch_dtype": "bfloat16", "use_cache": true
            }
            """,
    };

    private static string Qwen25(int width, int inner, int layers, int heads, int keyValueHeads, int vocabulary, int positions, bool isTied) => $$"""
        {
          "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": {{vocabulary}}, "hidden_size": {{width}}, "intermediate_size": {{inner}},
          "num_hidden_layers": {{layers}}, "num_attention_heads": {{heads}}, "num_key_value_heads": {{keyValueHeads}}, "hidden_act": "silu",
          "max_position_embeddings": {{positions}}, "max_window_layers": {{layers}}, "sliding_window": {{positions}}, "use_sliding_window": false, "use_mrope": false,
          "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "attention_dropout": 0.0, "initializer_range": 0.02, "tie_word_embeddings": {{(isTied ? "true" : "false")}},
          "bos_token_id": 151643, "eos_token_id": 151643, "torch_dtype": "bfloat16", "use_cache": true
        }
        """;

    /// <summary>A fresh copy, to be changed; null if there is no such name.</summary>
    public static JsonObject? Find(string name) => All.TryGetValue(name, out var config) ? (JsonObject)JsonNode.Parse(config)! : null;
}
