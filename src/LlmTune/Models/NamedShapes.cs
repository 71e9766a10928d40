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
        ["qwen2.5-0.5b"] = """
            {
              "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864,
              "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "hidden_act": "silu",
              "max_position_embeddings": 32768, "max_window_layers": 24, "sliding_window": 32768, "use_sliding_window": false, "use_mrope": false,
              "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "attention_dropout": 0.0, "initializer_range": 0.02, "tie_word_embeddings": true,
              "bos_token_id": 151643, "eos_token_id": 151643, "torch_dtype": "bfloat16", "use_cache": true
            }
            """,
        ["qwen2.5-1.5b"] = """
            {
              "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960,
              "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2, "hidden_act": "silu",
              "max_position_embeddings": 32768, "max_window_layers": 28, "sliding_window": 32768, "use_sliding_window": false, "use_mrope": false,
              "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "attention_dropout": 0.0, "initializer_range": 0.02, "tie_word_embeddings": true,
              "bos_token_id": 151643, "eos_token_id": 151643, "torch_dtype": "bfloat16", "use_cache": true
            }
            """,
        ["qwen2.5-3b"] = """
            {
              "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 11008,
              "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2, "hidden_act": "silu",
              "max_position_embeddings": 32768, "max_window_layers": 36, "sliding_window": 32768, "use_sliding_window": false, "use_mrope": false,
              "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "attention_dropout": 0.0, "initializer_range": 0.02, "tie_word_embeddings": true,
              "bos_token_id": 151643, "eos_token_id": 151643, "torch_dtype": "bfloat16", "use_cache": true
            }
            """,
        ["qwen2.5-7b"] = """
            {
              "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944,
              "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "hidden_act": "silu",
              "max_position_embeddings": 131072, "max_window_layers": 28, "sliding_window": 131072, "use_sliding_window": false, "use_mrope": false,
              "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "attention_dropout": 0.0, "initializer_range": 0.02, "tie_word_embeddings": false,
              "bos_token_id": 151643, "eos_token_id": 151643, "torch_dtype": "bfloat16", "use_cache": true
            }
            """,
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

    /// <summary>A fresh copy, to be changed; null if there is no such name.</summary>
    public static JsonObject? Find(string name) => All.TryGetValue(name, out var config) ? (JsonObject)JsonNode.Parse(config)! : null;
}
