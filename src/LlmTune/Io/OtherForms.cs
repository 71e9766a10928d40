namespace LlmTune.Io;

/// <summary>Weights in other forms than safetensors folders, known by the names of files: what they are, and how they become what is read.</summary>
public static class OtherForms
{
    /// <summary>What is said of MLX's adapters.</summary>
    public const string Mlx =
        "an adapter of MLX (adapters.safetensors), whose names and matrices are otherwise than PEFT's; "
        + "fuse it there (mlx_lm.fuse --model BASE --adapter-path FOLDER --save-path NEW) and take the new folder";

    private const string ToAdapter =
        "python -c \"import torch; from safetensors.torch import save_file; "
        + "save_file({k: v.contiguous() for k, v in torch.load('adapter_model.bin', map_location='cpu', weights_only=True).items()}, 'adapter_model.safetensors')\"";

    private const string ToModel =
        "python -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('FOLDER', dtype='auto').save_pretrained('NEW')\"";

    /// <summary>Patterns of names, the first that is found counts.</summary>
    private static readonly (string[] Names, string What)[] Table =
    [
        (["adapters.safetensors", "*_adapters.safetensors"],
            Mlx),
        (["adapter_model.bin"], $"adapter_model.bin, PyTorch's pickle, which can run code; turn it into safetensors, in that folder, where there is PyTorch: {ToAdapter}"),
        (["adapter_0.pt", "adapter_*.pt", "hf_model_*_0.pt", "recipe_state.pt"],
            "a checkpoint of torchtune (.pt); let its checkpointer write safetensors or PEFT's form (safe_serialization: True)"),
        (["lit_model.pth", "lit_model.pth.lora", "lit_config.json", "model_config.yaml"],
            "a checkpoint of LitGPT (lit_model.pth); merge and convert it there (litgpt merge_lora, litgpt convert_from_litgpt), then save it as safetensors"),
        (["zero_to_fp32.py", "mp_rank_*_model_states.pt", "zero_pp_rank_*", "global_step*"],
            "a checkpoint of DeepSpeed in pieces; put them together where it was trained: python zero_to_fp32.py FOLDER NEW --safe_serialization"),
        (["*.distcp", ".metadata"],
            "a checkpoint of torch.distributed in pieces (FSDP); put them together where it was trained: accelerate merge-weights FOLDER NEW"),
        (["pytorch_model_fsdp.bin"], $"all weights of an FSDP run in one pickle (pytorch_model_fsdp.bin); load them into the model in PyTorch and save it with save_pretrained"),
        (["pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin"],
            $"pytorch_model.bin, PyTorch's pickle, which can run code; save it as safetensors where there are PyTorch and transformers: {ToModel}"),
        (["*.gguf"],
            "GGUF, the form of llama.cpp; take the Hugging Face folder that it was made from, or convert it back (transformers: from_pretrained(FOLDER, gguf_file=FILE), then save_pretrained)"),
        (["consolidated*.pth", "consolidated*.safetensors"],
            "weights in their maker's own form (consolidated.*, with params.json), under other names; take the model's folder in Hugging Face's form, or convert it with transformers' convert_…_weights_to_hf.py"),
        (["tf_model*.h5", "flax_model*.msgpack", "*.onnx"], $"weights of TensorFlow, Flax or ONNX; take the model's safetensors, or convert it with transformers"),
        (["*.nemo", "*.ckpt"], "a checkpoint of NeMo or Lightning; export it to Hugging Face's form there"),
        (["*.pt", "*.pth", "*.bin"], $"PyTorch's pickle, which can run code; load it into the model in PyTorch and save it with save_pretrained"),
    ];

    /// <summary>What a folder or file holds that is not read, with what to do; null where it holds nothing that is known.</summary>
    public static string? Describe(string path)
    {
        if (File.Exists(path))
            return Find([Path.GetFileName(path)]) ?? (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) ? "a file of weights alone; give the folder that it is in" : null);
        if (!Directory.Exists(path)) return null;
        var names = Directory.EnumerateFileSystemEntries(path).Select(entry => Path.GetFileName(entry)!).Order(StringComparer.Ordinal).ToList();
        return Find(names) ?? Inside(path, names);
    }

    private static string? Find(IReadOnlyCollection<string> names)
    {
        foreach (var (patterns, what) in Table)
            if (patterns.Any(pattern => names.Any(name => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern, name)))) return what;
        return null;
    }

    /// <summary>A folder around the one that was meant.</summary>
    private static string? Inside(string path, List<string> names)
    {
        if (names.Contains("snapshots") && names.Contains("refs"))
        {
            var snapshots = Directory.GetDirectories(Path.Combine(path, "snapshots"));
            return $"a model's folder of the Hugging Face cache; take {(snapshots.Length > 0 ? snapshots.Order(StringComparer.Ordinal).Last() : "the one in snapshots")}, or the model's id";
        }
        var checkpoints = names.Where(name => name.StartsWith("checkpoint-", StringComparison.Ordinal) && Directory.Exists(Path.Combine(path, name)))
            .OrderBy(name => int.TryParse(name["checkpoint-".Length..], out var step) ? step : 0).ToList();
        return checkpoints.Count > 0 ? $"checkpoints of a training ({string.Join(", ", checkpoints)}); take one of them, as {Path.Combine(path, checkpoints[^1])}" : null;
    }
}
