using LlmTune.Cli.Commands;

namespace LlmTune.Tests.Cli;

public sealed class InitModelAndDryRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Data()
    {
        File.WriteAllLines(_folder["data.jsonl"], Enumerable.Range(0, 40).Select(i => $$"""{"text": "Once upon a time there were {{i}} cats and a dog."}"""));
        return _folder["data.jsonl"];
    }

    [Fact]
    public void A_model_is_written_and_what_it_is_is_said()
    {
        var (code, _, error) = AppTests.Run("init-model", "tiny", "--output", _folder["tiny"], "--layers", "1", "--tokenizer", RealModels.Stories, "--shard-size", "100KB");
        Assert.True(code == 0, error);
        Assert.Contains("random parameters, 1 layers", error, StringComparison.Ordinal);
        Assert.Contains("tiny/model.safetensors.index.json", _folder.Names);
    }

    [Theory]
    [InlineData("500MB", 500_000_000)]
    [InlineData("1.5GB", 1_500_000_000)]
    [InlineData("20kb", 20_000)]
    public void Sizes_are_read(string text, long bytes) => Assert.Equal(bytes, InitModelCommand.Bytes(text));

    [Theory]
    [InlineData("500")]
    [InlineData("GB")]
    [InlineData("-1GB")]
    [InlineData("1XB")]
    public void Other_sizes_are_refused(string text) =>
        Assert.Equal($"--shard-size must be a number with KB, MB, GB or TB, as 500MB, got '{text}'", Assert.Throws<RequestException>(() => InitModelCommand.Bytes(text)).Message);

    [Theory]
    // LoRA, r 16: of each layer 16 · (2 · (64 + 64) + 2 · (64 + 32) + 3 · (64 + 172)), five layers.
    [InlineData("full.yaml", "trainable               260,032 (100.00 %)")]
    [InlineData("lora.yaml", "trainable               92,480 (35.56 %)")]
    public void A_dry_run_shows_the_run_and_writes_nothing(string file, string trainable)
    {
        var data = Data();
        var before = _folder.Names.ToList();
        var (code, output, error) = AppTests.Run(
            "train", Path.Combine(Repository.Root, "configs", file), $"model.path={RealModels.Stories}", $"data.sources.0.path={data}", "device=cpu",
            "data.eval.count=4", "data.eval.fraction=null", $"output_dir={_folder["run"]}", "--dry-run");
        Assert.True(code == 0, error);
        Assert.Contains("parameters              260,032 (llama, 5 layers)\n", output, StringComparison.Ordinal);
        Assert.Contains($"{trainable}\n", output, StringComparison.Ordinal);
        Assert.Contains("examples                36, 4 more held out\n", output, StringComparison.Ordinal);
        Assert.Contains("rows an epoch           2 of up to 512 tokens", output, StringComparison.Ordinal);
        Assert.Contains("steps                   3 of 4 rows\n", output, StringComparison.Ordinal);
        Assert.Contains("  weights               1.0 MB\n", output, StringComparison.Ordinal);
        Assert.Equal(before, _folder.Names);
    }

    [Fact]
    public void A_dry_run_over_a_finished_run_says_that_train_will_refuse()
    {
        Directory.CreateDirectory(_folder["run"]);
        File.WriteAllText(Path.Combine(_folder["run"], "run.json"), "{}");
        string[] args =
        [
            "train", Path.Combine(Repository.Root, "configs", "lora.yaml"), $"model.path={RealModels.Stories}", $"data.sources.0.path={Data()}",
            "device=cpu", "data.eval.count=4", "data.eval.fraction=null", $"output_dir={_folder["run"]}", "--dry-run",
        ];
        var (code, output, error) = AppTests.Run(args);
        Assert.True(code == 0, error);
        Assert.Contains("steps ", output, StringComparison.Ordinal);
        Assert.Contains("holds a run already; name another training.output_dir, or say --force to replace it", error, StringComparison.Ordinal);
        Assert.DoesNotContain("holds a run already", AppTests.Run([.. args, "--force"]).Error, StringComparison.Ordinal);
    }

    /// <summary>Every sample run file, two steps on a small model.</summary>
    [Theory]
    [InlineData("full.yaml")]
    [InlineData("lora.yaml")]
    [InlineData("pretrain.yaml")]
    public void A_sample_run_file_runs(string file)
    {
        var model = RealModels.Stories;
        if (file == "pretrain.yaml") AppTests.Run("init-model", "tiny", "--output", model = _folder["tiny"], "--layers", "2", "--tokenizer", RealModels.Stories);
        var (code, _, error) = AppTests.Run(
            "train", Path.Combine(Repository.Root, "configs", file), $"model.path={model}", $"data.sources.0.path={Data()}", "device=cpu",
            "data.max_length=64", $"output_dir={_folder["run"]}", "max_steps=2", "data.eval.fraction=0.2");
        Assert.True(code == 0, error);
        Assert.Contains("step 2/2", error, StringComparison.Ordinal);
        Assert.Contains(file == "lora.yaml" ? "run/adapter/adapter_config.json" : "run/model/model.safetensors", _folder.Names);
        Assert.Equal(0, AppTests.Run("generate", _folder["run"], "--prompt", "Once upon", "--max-new-tokens", "3", "--device", "cpu").Code);
    }
}
