using LlmTune.Io;

namespace LlmTune.Tests.Io;

/// <summary>Folders and files of other forms are called by their names, with what to do.</summary>
public class OtherFormsTests
{
    [Theory]
    [InlineData("adapters.safetensors", "an adapter of MLX", "mlx_lm.fuse")]
    [InlineData("0000100_adapters.safetensors", "an adapter of MLX", "mlx_lm.fuse")]
    [InlineData("adapter_model.bin", "PyTorch's pickle", "adapter_model.safetensors")]
    [InlineData("pytorch_model.bin", "PyTorch's pickle", "save_pretrained")]
    [InlineData("pytorch_model-00001-of-00002.bin", "PyTorch's pickle", "save_pretrained")]
    [InlineData("model-Q4_K_M.gguf", "GGUF", "gguf_file")]
    [InlineData("lit_model.pth", "LitGPT", "convert_from_litgpt")]
    [InlineData("zero_to_fp32.py", "DeepSpeed", "zero_to_fp32.py FOLDER NEW")]
    [InlineData("mp_rank_00_model_states.pt", "DeepSpeed", "zero_to_fp32.py FOLDER NEW")]
    [InlineData("__0_0.distcp", "FSDP", "accelerate merge-weights")]
    [InlineData("pytorch_model_fsdp.bin", "FSDP", "save_pretrained")]
    [InlineData("adapter_0.pt", "torchtune", "safe_serialization")]
    [InlineData("consolidated.00.pth", "maker's own form", "transformers")]
    [InlineData("tf_model.h5", "TensorFlow", "transformers")]
    [InlineData("last.ckpt", "Lightning", "export")]
    [InlineData("whatever.pt", "pickle", "save_pretrained")]
    public void A_file_says_what_a_folder_is(string name, string what, string remedy)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], "{}");
        Assert.Null(OtherForms.Describe(folder.Path));
        File.WriteAllText(folder[name], "");
        var said = OtherForms.Describe(folder.Path)!;
        Assert.Contains(what, said, StringComparison.Ordinal);
        Assert.Contains(remedy, said, StringComparison.Ordinal);
        Assert.Equal(said, OtherForms.Describe(folder[name]));
    }

    [Fact]
    public void A_folder_around_the_right_one_names_it()
    {
        using var folder = new TemporaryFolder();
        foreach (var step in (int[])[500, 1000, 90]) Directory.CreateDirectory(folder[$"checkpoint-{step}"]);
        Assert.Equal(
            $"checkpoints of a training (checkpoint-90, checkpoint-500, checkpoint-1000); take one of them, as {folder["checkpoint-1000"]}", OtherForms.Describe(folder.Path));

        using var cache = new TemporaryFolder();
        Directory.CreateDirectory(cache["refs"]);
        Directory.CreateDirectory(cache[Path.Combine("snapshots", "abc")]);
        Assert.Contains(cache[Path.Combine("snapshots", "abc")], OtherForms.Describe(cache.Path), StringComparison.Ordinal);
    }
}
