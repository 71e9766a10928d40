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
        foreach (var name in (string[])["config.json", "tokenizer.json", "tokenizer_config.json"])
            File.Copy(Path.Join(RealModels.Stories, name), Path.Join(_folder, "models", "tiny", name), overwrite: true);
        foreach (var name in (string[])["a.jsonl", "b.jsonl"]) Rows(name, 1500);
        var file = Path.Join(_folder, "runs", "run.yaml");
        string[] args = ["init", file, "--model", Path.Join(_folder, "models", "tiny"), "--data", Path.Join(_folder, "a.jsonl"), "--data", Path.Join(_folder, "b.jsonl"), .. more];
        var (code, _, error) = AppTests.Run(args);
        Assert.True(code == 0, error);
        return file;
    }

    private string Rows(string name, int count)
    {
        File.WriteAllLines(Path.Join(_folder, name), Enumerable.Range(0, count).Select(i => $$"""{"prompt": "Once upon a time {{i}}", "completion": " a cat"}"""));
        return Path.Join(_folder, name);
    }

    [Fact]
    public void The_file_is_a_run_with_the_values_that_were_given()
    {
        var run = RunConfig.Load(Write());
        Assert.Equal(Path.Join(_folder, "models", "tiny"), run.Model.Path);
        Assert.Equal([Path.Join(_folder, "a.jsonl"), Path.Join(_folder, "b.jsonl")], run.Data.Sources.Select(source => source.Path));
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
        var (file, rows) = (Path.Join(_folder, "run.yaml"), Rows("rows.jsonl", 240));
        var (code, _, error) = AppTests.Run("init", file, "--model", RealModels.Stories, "--data", rows);
        Assert.True(code == 0, error);
        // By hand: at most 18 tokens, a row of 128 holds 7 to 8 documents, and 24 of the 240 are held out.
        Assert.Matches(@"\n240 documents of 1\d tokens on average, the longest 1\d; 24 held out\n", error);
        Assert.Matches(@"\n\d+ steps: \d+ an epoch of \d+ documents( in \d+ rows?)?, 3 epochs\n", error);
        Assert.Matches(@"\n\d+ rows? of up to 128 tokens at once: about [\d.]+ MB of [\d.]+ GB that are free here\n", error);
        (code, _, error) = AppTests.Run("init", file, "--force", "--model", Path.Join(_folder, "nowhere", "at", "all"), "--data", rows);
        Assert.True(code == 0, error);
        Assert.Contains("the file is not fitted to the model and to this machine's memory: ", error, StringComparison.Ordinal);
    }

    /// <summary>The run as it was written, with a rate for so small a model: steps enough to learn.</summary>
    [Fact]
    public void The_run_that_it_writes_learns()
    {
        var (file, rows) = (Path.Join(_folder, "run.yaml"), Rows("rows.jsonl", 240));
        var (code, _, error) = AppTests.Run("init", file, "--model", RealModels.Stories, "--data", rows);
        Assert.True(code == 0, error);
        var result = Finetune.Run(RunConfig.Load(file, "learning_rate=5e-3", "device=cpu"), force: false, Serilog.Core.Logger.None, cancel: TestContext.Current.CancellationToken);
        Assert.InRange(result.Steps, StarterFit.FewestSteps, 150);
        Assert.InRange(result.LastEvalLoss!.Value, 0, result.FirstEvalLoss!.Value / 2);
    }

    /// <summary>What training would refuse is refused at once, and no file is written.</summary>
    [Theory]
    [InlineData("pairs.jsonl", """{"prompt": "p", "chosen": "a", "rejected": "b"}""", "its rows hold a chosen and a rejected answer")]
    [InlineData("empty.jsonl", "", "holds no rows")]
    [InlineData("none.jsonl", null, "does not exist")]
    [InlineData("odd.jsonl", """{"id": 1, "price": 2}""", "no format fits its rows; found the columns id, price")]
    [InlineData("chat.jsonl", """{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}""", "the model has no chat template")]
    public void What_cannot_be_trained_on_is_refused(string name, string? row, string message)
    {
        var (file, data) = (Path.Join(_folder, "run.yaml"), Path.Join(_folder, name));
        if (row is not null) File.WriteAllText(data, row);
        var (code, _, error) = AppTests.Run("init", file, "--model", RealModels.Stories, "--data", data);
        Assert.Equal(2, code);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.False(File.Exists(file));
    }

    /// <summary>Format and columns stand in the file as they were found; pairs go through the template of a model that has one.</summary>
    [Theory]
    [InlineData("faq.csv", "Question,Answer\nOnce?,upon\n", "question_answer", "{answer: Answer, question: Question}")]
    [InlineData("rows.jsonl", """{"prompt": "Once?", "completion": "upon"}""", "question_answer", "{answer: completion, question: prompt}")]
    [InlineData("rows.jsonl", """{"instruction": "Once?", "output": "upon"}""", "alpaca", null)]
    [InlineData("odd.jsonl", """{"article": "Once upon a time", "highlights": "Once", "id": "7"}""", "question_answer", "{answer: highlights, question: article}")]
    public void What_was_found_in_the_rows_is_filled_in(string name, string text, string format, string? columns)
    {
        var (file, data, model) = (Path.Join(_folder, "run.yaml"), Path.Join(_folder, name), Path.Join(_folder, "chat"));
        File.WriteAllText(data, text);
        Directory.CreateDirectory(model);
        foreach (var part in (string[])["config.json", "tokenizer.json", "tokenizer_config.json"]) File.Copy(Path.Join(RealModels.Stories, part), Path.Join(model, part));
        File.WriteAllText(Path.Join(model, "chat_template.jinja"), "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}");
        var (code, _, error) = AppTests.Run("init", file, "--model", model, "--data", data);
        Assert.True(code == 0, error);
        var source = Assert.Single(RunConfig.Load(file).Data.Sources);
        Assert.Equal((data, format, columns), (source.Path, source.Format, source.Columns?.ToString()));
    }

    /// <summary>A run of all weights is its model; one with an adapter is trained on, with its base.</summary>
    [Fact]
    public void A_run_in_the_place_of_a_model_is_its_model_or_its_adapter()
    {
        string Yaml(string name, string adapter) => $$"""
            model: { path: {{RealModels.Stories}} }
            {{adapter}}
            data: { sources: [{ path: {{Rows("some.jsonl", 40)}} }] }
            training: { output_dir: {{Path.Join(_folder, name)}}, max_steps: 1 }
            device: cpu
            """;
        foreach (var (name, adapter) in (ReadOnlySpan<(string, string)>)[("whole", ""), ("lora", "adapter: { type: lora, r: 2 }")])
        {
            File.WriteAllText(Path.Join(_folder, $"{name}.yaml"), Yaml(name, adapter));
            var trained = AppTests.Run("train", Path.Join(_folder, $"{name}.yaml"));
            Assert.True(trained.Code == 0, trained.Error);
        }
        var (file, data) = (Path.Join(_folder, "again.yaml"), Rows("rows.jsonl", 240));
        (int Code, string Output, string Error) Init(string run, params string[] more) =>
            AppTests.Run(["init", file, "--force", "--model", Path.Join(_folder, run), "--data", data, .. more]);

        var whole = Init("whole");
        Assert.True(whole.Code == 0, whole.Error);
        Assert.Equal(Path.Join(_folder, "whole", "model"), RunConfig.Load(file).Model.Path);
        var lora = Init("lora");
        Assert.True(lora.Code == 0, lora.Error);
        var again = RunConfig.Load(file);
        Assert.Equal((RealModels.Stories, Path.Join(_folder, "lora")), (again.Model.Path, Assert.IsType<LlmTune.Adapters.LoraConfig>(again.Adapter).Path));
        Assert.Contains("that adapter is trained on. For a new one on top of it, merge first: llmtune merge ", lora.Error, StringComparison.Ordinal);
        Assert.Equal(0, AppTests.Run("train", file, "--dry-run", "device=cpu").Code);
        var full = Init("lora", "--method", "full");
        Assert.Equal(2, full.Code);
        Assert.Contains("is a run with an adapter, and --method full trains whole models; merge it first: llmtune merge ", full.Error, StringComparison.Ordinal);

        // The same in a run file: the model of a run, and a word where there is none.
        Assert.Equal(Path.Join(_folder, "whole", "model"), RunConfig.Load(Path.Join(_folder, "whole.yaml"), $"model.path={Path.Join(_folder, "whole")}").Model.Path);
        var refused = AppTests.Run("preview", Path.Join(_folder, "whole.yaml"), $"model.path={Path.Join(_folder, "lora")}");
        Assert.Equal(2, refused.Code);
        Assert.Contains($"is a run with an adapter, not a model\n  to train its adapter on: model.path: {RealModels.Stories}, and adapter: {{ path: ", refused.Error, StringComparison.Ordinal);
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
