using LlmTune.Recipes;
using LlmTune.Tests.Cli;
using Serilog.Core;

namespace LlmTune.Tests.Recipes.OtherTools;

/// <summary>Files of other tools as a user gives them.</summary>
public sealed class OtherToolRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string LlamaFactoryFile()
    {
        Directory.CreateDirectory(_folder["data"]);
        File.WriteAllText(_folder["data/dataset_info.json"], """{ "pairs": { "file_name": "pairs.json" } }""");
        File.WriteAllText(_folder["data/pairs.json"], "[" + string.Join(",", Enumerable.Range(0, 40)
            .Select(i => $$"""{ "instruction": "Tell about {{i}} cats.", "input": "", "output": "Once upon a time there were {{i}} cats." }""")) + "]");
        File.WriteAllText(_folder["template.jinja"], "{{ bos_token }}{% for m in messages %}{{ m.content }}\n{% endfor %}");
        File.WriteAllText(_folder["sft.yaml"], $"""
            model_name_or_path: {RealModels.Stories}
            stage: sft
            do_train: true
            finetuning_type: lora
            lora_target: all
            dataset: pairs
            dataset_dir: {_folder["data"]}
            val_size: 4
            eval_strategy: epoch
            template: llama2
            cutoff_len: 64
            output_dir: {_folder["saves"]}
            per_device_train_batch_size: 2
            learning_rate: 1.0e-3
            max_steps: 2
            use_cpu: true
            report_to: none
            """);
        return _folder["sft.yaml"];
    }

    private string AxolotlFile()
    {
        File.WriteAllLines(_folder["rows.jsonl"], Enumerable.Range(0, 40).Select(i => $$"""{ "instruction": "Tell about {{i}} cats.", "input": "", "output": "There were {{i}} cats." }"""));
        File.WriteAllText(_folder["lora.yml"], $"""
            base_model: {RealModels.Stories}
            datasets:
              - path: {_folder["rows.jsonl"]}
                type: alpaca
            adapter: lora
            lora_r: 4
            lora_alpha: 8
            lora_target_linear: true
            sequence_len: 256
            sample_packing: true
            micro_batch_size: 2
            max_steps: 2
            learning_rate: 0.001
            output_dir: {_folder["outputs"]}
            wandb_project:
            """);
        return _folder["lora.yml"];
    }

    [Fact]
    public void One_of_LLaMA_Factory_trains()
    {
        var run = RunFile.Load(LlamaFactoryFile(), $"model.chat_template={_folder["template.jinja"]}");
        Assert.Equal("LLaMA-Factory", run.From!.Tool);
        var result = Finetune.Run(run.Config.Resolved(), force: false, Logger.None);
        Assert.Equal(2, result.Steps);
        Assert.NotNull(result.LastEvalLoss);
        Assert.Contains("saves/adapter/adapter_model.safetensors", _folder.Names);
        Assert.Contains("\"r\": 8", File.ReadAllText(_folder["saves/adapter/adapter_config.json"]), StringComparison.Ordinal);
    }

    [Fact]
    public void One_of_axolotl_trains()
    {
        var (code, _, error) = AppTests.Run("train", AxolotlFile(), "device=cpu");
        Assert.True(code == 0, error);
        Assert.StartsWith($"{_folder["lora.yml"]} is a run file of axolotl; here it means\n  base_model: ", error, StringComparison.Ordinal);
        Assert.Contains("  lora_r: 4", error, StringComparison.Ordinal);
        Assert.Contains("step 2/2", error, StringComparison.Ordinal);
        Assert.Contains("outputs/adapter/adapter_model.safetensors", _folder.Names);
    }

    [Fact]
    public void A_dry_run_and_a_preview_take_them_too()
    {
        var file = AxolotlFile();
        var (code, output, error) = AppTests.Run("train", file, "--dry-run", "device=cpu");
        Assert.True(code == 0, error);
        Assert.Contains("steps                   2 of 2 rows\n", output, StringComparison.Ordinal);
        Assert.Equal(0, AppTests.Run("preview", file, "--rows", "1").Code);
        Assert.Contains("### Instruction:", AppTests.Run("preview", file, "--rows", "1").Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sft.yaml")]
    [InlineData("lora.yml")]
    public void Init_writes_ours_which_is_the_same_run(string name)
    {
        var theirs = name == "sft.yaml" ? LlamaFactoryFile() : AxolotlFile();
        var ours = _folder["runs/ours.yaml"];
        var (code, _, error) = AppTests.Run("init", ours, "--from", theirs);
        Assert.True(code == 0, error);
        Assert.Contains($"Next: look it over, then llmtune preview {ours} --check, and llmtune train {ours}", error, StringComparison.Ordinal);
        Assert.Equal(RunConfig.Load(theirs), RunConfig.Load(ours));
        Assert.Contains("../", File.ReadAllText(ours), StringComparison.Ordinal);
        Assert.True(File.Exists(_folder["runs/llmtune.schema.json"]));
        Assert.Equal((2, "", $"error: {ours} is a run file of ours already; llmtune train {ours} runs it\n"), AppTests.Run("init", _folder["x.yaml"], "--from", ours));
        Assert.Equal((2, "", "error: --from takes model and data from the file that it translates; change them in what it writes\n"),
            AppTests.Run("init", _folder["x.yaml"], "--from", theirs, "--model", "m"));
    }

    [Fact]
    public void What_is_wrong_with_them_is_said_with_the_line_and_ends_with_2()
    {
        File.WriteAllText(_folder["bad.yaml"], "model_name_or_path: x\ndataset: y\nuse_galore: true\ngalore_rank: 8\nneftune_noise_alpha: 5\n");
        Assert.Equal((2, "", $"""
            {_folder["bad.yaml"]}:3:1: use_galore: true uses another optimizer, which is not built; leave it out for AdamW
            {_folder["bad.yaml"]}:5:1: neftune_noise_alpha: 5 is noise on the embeddings, which is not built; leave it out

            """.ReplaceLineEndings("\n")), AppTests.Run("train", _folder["bad.yaml"]));
    }
}
