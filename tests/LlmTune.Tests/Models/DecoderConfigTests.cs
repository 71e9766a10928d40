using LlmTune.Models;

namespace LlmTune.Tests.Models;

public class DecoderConfigTests
{
    /// <summary>As transformers has it: the layers from max_window_layers on have the window, whatever that number is.</summary>
    [Theory]
    [InlineData("qwen2", "0", 3)]
    [InlineData("qwen3", "0", 3)]
    [InlineData("qwen2", "-1", 3)]
    [InlineData("qwen2", "1", 2)]
    [InlineData("qwen3", "3", 0)]
    [InlineData("qwen2", "28", 0)]
    public void Layers_before_max_window_layers_see_everything(string family, string first, int windows)
    {
        using var folder = new TemporaryFolder();
        var config = TinyModels.Config(family).Replace("\"eos_token_id\"", $"\"use_sliding_window\": true, \"sliding_window\": 5, \"max_window_layers\": {first}, \"eos_token_id\"", StringComparison.Ordinal);
        File.WriteAllText(folder["config.json"], config);
        var blocks = FamilyTable.Read(ConfigJson.Read(folder["config.json"])).Blocks;
        Assert.Equal([.. Enumerable.Repeat((int?)null, 3 - windows), .. Enumerable.Repeat((int?)5, windows)], blocks.Select(block => block.Attention.Window));
    }
}
