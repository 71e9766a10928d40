using LlmTune.Config;
using LlmTune.Models;
using LlmTune.Recipes;

namespace LlmTune.Tests.Cli;

public sealed class InitCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llmtune").FullName;

    private string Write(params string[] more)
    {
        Directory.CreateDirectory(Path.Join(_folder, "models", "tiny"));
        File.Copy(Path.Join(RealModels.Stories, "config.json"), Path.Join(_folder, "models", "tiny", "config.json"), overwrite: true);
        var file = Path.Join(_folder, "runs", "run.yaml");
        string[] args = ["init", file, "--model", Path.Join(_folder, "models", "tiny"), "--data", Path.Join(_folder, "a.jsonl"), "--data", Path.Join(_folder, "b.jsonl"), .. more];
        var (code, _, error) = AppTests.Run(args);
        Assert.True(code == 0, error);
        return file;
    }

    [Fact]
    public void The_file_is_a_run_with_the_values_that_were_given()
    {
        var run = RunConfig.Load(Write());
        Assert.Equal(Path.Join(_folder, "models", "tiny"), run.Model.Path);
        Assert.Equal([Path.Join(_folder, "a.jsonl"), Path.Join(_folder, "b.jsonl")], run.Data.Sources.Select(source => source.Path));
        Assert.Equal(512, run.Data.MaxLength);   // the model has no more positions
        Assert.Equal(Path.Join(_folder, "runs", "out", "tiny-lora"), run.Training.OutputDir);
        Assert.Equal(2e-4, run.Training.LearningRate);
    }

    [Fact]
    public void It_has_every_setting_with_its_meaning_and_the_schema_beside_it()
    {
        var text = File.ReadAllText(Write());
        Assert.StartsWith("# yaml-language-server: $schema=llmtune.schema.json\n", text, StringComparison.Ordinal);
        bool IsWritten(SettingInfo setting) => setting.Leaf != "type" && setting.Section != "training.lr_scheduler_kwargs"
            && !setting.Section.StartsWith("data.eval.sources", StringComparison.Ordinal);
        Assert.All(ConfigFile.Settings<RunConfig>().Where(IsWritten),
            setting => Assert.Matches($@"(?m)^ *(- |# )?{setting.Leaf}:.*# {System.Text.RegularExpressions.Regex.Escape(setting.Doc)}", text));
        Assert.Equal(AppTests.Run("schema").Output, File.ReadAllText(Path.Join(_folder, "runs", "llmtune.schema.json")));
    }

    /// <summary>Every setting that stands there as a comment can be switched on, or says which one it excludes.</summary>
    [Fact]
    public void What_is_commented_out_can_be_switched_on()
    {
        var lines = File.ReadAllLines(Write());
        var commented = Enumerable.Range(0, lines.Length).Where(i => lines[i].TrimStart(' ').StartsWith("# ", StringComparison.Ordinal) && lines[i].Contains("  # ", StringComparison.Ordinal)).ToList();
        Assert.InRange(commented.Count, 10, 30);
        List<string> excluded = [];
        foreach (var i in commented)
        {
            var changed = lines.ToArray();
            changed[i] = changed[i].Remove(changed[i].IndexOf('#', StringComparison.Ordinal), 2);
            try
            {
                ConfigFile.Parse<RunConfig>(string.Join('\n', changed), "run.yaml");
            }
            catch (ConfigException e)
            {
                excluded.Add(Assert.Single(e.Problems).Message);
            }
        }
        Assert.Equal(
        [
            "adapter.layers_pattern says where layers_to_transform finds a layer's number; set both or none",
            "data.sources.0.name cannot stand beside path; keep one of them",
            "data.sources.0.dir needs a name beside it",
            "data.eval.count cannot stand beside fraction; keep one of them",
            "data.eval.sources cannot stand beside fraction; keep one of them",
            "training.warmup_ratio cannot stand beside warmup_steps; keep one of them",
        ], excluded);
    }

    [Theory]
    [InlineData("lora", false, ModelInit.Weights, 2e-4)]
    [InlineData("full", true, ModelInit.Weights, 2e-5)]
    [InlineData("pretrain", true, ModelInit.Random, 1e-3)]
    public void Each_method_has_its_own_values(string method, bool whole, ModelInit init, double rate)
    {
        var run = RunConfig.Load(Write("--method", method));
        Assert.Equal((whole, init, rate), (run.Adapter is null, run.Model.Init, run.Training.LearningRate));
        Assert.Equal(Path.Join(_folder, "runs", "out", $"tiny-{method}"), run.Training.OutputDir);
    }

    [Fact]
    public void It_says_what_a_step_takes_of_what_is_free_or_why_it_does_not_know()
    {
        var file = Path.Join(_folder, "run.yaml");
        var (code, _, error) = AppTests.Run("init", file, "--model", RealModels.Stories, "--data", "rows.jsonl");
        Assert.Equal(0, code);
        Assert.Matches(@"8 rows of 512 tokens at once: about 0\.\d GB of [\d.]+ GB that are free here\n", error);
        (code, _, error) = AppTests.Run("init", file, "--force", "--model", Path.Join(_folder, "nowhere", "at", "all"), "--data", "rows.jsonl");
        Assert.Equal(0, code);
        Assert.Contains("the file is not fitted to the model and to this machine's memory: ", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_there_is_not_overwritten_unless_forced()
    {
        var file = Write();
        File.WriteAllText(file, "precious");
        var (code, _, error) = AppTests.Run("init", file, "--model", "x", "--data", "y");
        Assert.Equal((2, $"error: {file} is there already; choose another name, or overwrite it by --force\n"), (code, error));
        Assert.Equal("precious", File.ReadAllText(file));
        Write("--force");
        Assert.NotEqual("precious", File.ReadAllText(file));
    }

    [Fact]
    public void What_is_missing_is_named_where_nobody_can_be_asked()
    {
        var file = Path.Join(_folder, "run.yaml");
        Assert.Equal((2, "", "error: --model and --data are needed where nobody can be asked\n"), AppTests.Run("init", file));
        Assert.Equal((2, "", "error: --data is needed where nobody can be asked\n"), AppTests.Run("init", file, "--model", "Qwen/Qwen3-0.6B"));
        Assert.False(File.Exists(file));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
