using System.Text.Json;

namespace LlmTune.Tests.Cli;

/// <summary>The main job as it is typed: train, merge, eval, generate.</summary>
public sealed class MainJobCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Train_merge_eval_and_generate_follow_one_another()
    {
        File.WriteAllLines(_folder["rows.jsonl"], Enumerable.Range(0, 30).Select(i => $$"""{"prompt": "Tom has {{i % 3}} balls. How many?", "completion": " {{i % 3}}."}"""));
        File.WriteAllText(_folder["run.yaml"], $$"""
            model: { path: {{RealModels.Stories}} }
            adapter: { type: lora }
            data: { sources: [{ path: rows.jsonl }], eval: { count: 5 }, max_length: 64 }
            training: { output_dir: run, max_steps: 3, learning_rate: 1e-3 }
            """);
        var (code, output, error) = AppTests.Run("train", _folder["run.yaml"], "adapter.r=4");
        Assert.True(code == 0, error);
        Assert.Equal("", output);
        Assert.Contains("step 3/3 | loss ", error, StringComparison.Ordinal);
        Assert.EndsWith($"Wrote {_folder["run"]}\nNext: llmtune merge {_folder["run"]} --output {_folder["run"]}-merged\n", error, StringComparison.Ordinal);

        (code, _, error) = AppTests.Run("train", _folder["run.yaml"]);
        Assert.Equal(2, code);
        Assert.Equal($"error: {_folder["run"]} holds a run already; name another training.output_dir, or say --force to replace it\n", error);

        (code, _, error) = AppTests.Run("merge", _folder["run"], "--output", _folder["merged"]);
        Assert.True(code == 0, error);
        Assert.Contains("the same likeliest token at 100.00 % of 256 positions", error, StringComparison.Ordinal);

        (code, output, error) = AppTests.Run(
            "eval", RealModels.Stories, _folder["run"], _folder["merged"], "--data", _folder["rows.jsonl"], "--limit", "10", "--answers", "2", "--stop", ".", "-o", _folder["evaluation.json"]);
        Assert.True(code == 0, error);
        Assert.Contains("perplexity", output, StringComparison.Ordinal);
        Assert.Contains("exact match", output, StringComparison.Ordinal);
        using var evaluation = JsonDocument.Parse(File.ReadAllText(_folder["evaluation.json"]));
        var losses = evaluation.RootElement.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("all").GetProperty("loss").GetDouble()).ToArray();
        Assert.True(losses[1] < losses[0]);
        Close.Assert(losses[1], losses[2], "run and merged");

        (code, output, error) = AppTests.Run("generate", _folder["merged"], "--prompt", "Once upon a time", "--max-new-tokens", "8");
        Assert.True(code == 0, error);
        Assert.StartsWith("Once upon a time", output, StringComparison.Ordinal);
    }

    /// <summary>
    /// Variables of the template count alike in training, eval and generate: what a template writes by them is what another writes by itself,
    /// and a run keeps those that it was trained with.
    /// </summary>
    [Fact]
    public void Variables_of_the_template_reach_every_verb()
    {
        const string Turns = "{% for m in messages %}{{ m.content }}{% endfor %}";
        string Model(string name, string template)
        {
            Directory.CreateDirectory(_folder[name]);
            foreach (var file in Directory.GetFiles(RealModels.Stories)) File.Copy(file, Path.Combine(_folder[name], Path.GetFileName(file)));
            File.WriteAllText(Path.Combine(_folder[name], "chat_template.jinja"), template);
            return _folder[name];
        }
        var (variable, fixedText) = (Model("variable", "{{ opening }}" + Turns), Model("fixed", "Once upon a time" + Turns));
        File.WriteAllText(_folder["chat.jsonl"], """{"messages": [{"role": "user", "content": ", Tom"}, {"role": "assistant", "content": " went to the park."}]}""");
        double[] Losses(params string[] arguments)
        {
            var (code, _, error) = AppTests.Run(["eval", .. arguments, "--data", _folder["chat.jsonl"], "--answers", "0", "-o", _folder["evaluation.json"]]);
            Assert.True(code == 0, error);
            using var evaluation = JsonDocument.Parse(File.ReadAllText(_folder["evaluation.json"]));
            return [.. evaluation.RootElement.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("all").GetProperty("loss").GetDouble())];
        }
        const string Given = """{"opening": "Once upon a time"}""";
        var losses = Losses(variable, fixedText, "--chat-template-kwargs", Given);
        Assert.Equal(losses[1], losses[0]);
        Assert.NotEqual(losses[1], Losses(variable)[0]);
        string Answer(params string[] arguments) => AppTests.Run(["generate", .. arguments, "--chat", "--prompt", ", Tom", "-n", "12"]).Output;
        Assert.Equal(Answer(fixedText), Answer(variable, "--chat-template-kwargs", Given));
        Assert.NotEqual(Answer(fixedText), Answer(variable, "--chat-template-kwargs", """{"opening": "x x x"}"""));

        File.WriteAllText(_folder["run.yaml"], $$"""
            model: { path: {{variable}}, chat_template_kwargs: { opening: Once upon a time } }
            adapter: { type: lora }
            data: { sources: [{ path: chat.jsonl }], max_length: 64 }
            training: { output_dir: run, max_steps: 1, learning_rate: 0 }
            """);
        var (trained, _, problem) = AppTests.Run("train", _folder["run.yaml"]);
        Assert.True(trained == 0, problem);
        Close.Assert(losses[1], Losses(_folder["run"])[0], "a run at a rate of 0 and its base");
        Assert.Equal(Answer(fixedText), Answer(_folder["run"]));
        Assert.NotEqual(losses[1], Losses(_folder["run"], "--chat-template-kwargs", """{"opening": "x"}""")[0]);
    }

    /// <summary>The same text as transformers' greedy search.</summary>
    [Fact]
    public void Generate_writes_what_the_library_writes()
    {
        var run = Golden.Read(Path.Combine(AppContext.BaseDirectory, "golden", "generate", "stories")).GetProperty("runs")[0];
        var most = run.GetProperty("options").GetProperty("max_new_tokens").GetInt32();
        var (_, output, _) = AppTests.Run("generate", RealModels.Stories, "--prompt", run.GetProperty("prompt").GetString()!, "-n", $"{most}");
        Assert.Equal(run.GetProperty("text").GetString() + "\n", output);
    }

    [Theory]
    [InlineData("generate . --prompt x --top-p 0", "error: --top-p must be above 0 and at most 1, got 0\n")]
    [InlineData("generate . --prompt x --temperature -1", "error: --temperature must be at least 0, got -1\n")]
    [InlineData("generate . --prompt x --system y", "error: --system goes with --chat\n")]
    [InlineData("generate . --prompt x --chat-template-kwargs {}", "error: --chat-template-kwargs goes with --chat\n")]
    [InlineData("eval . --data x --batch-size 0", "error: --batch-size must be at least 1, got 0\n")]
    [InlineData("merge nowhere --output x", "error: there is no model folder nowhere\n")]
    public void Requests_that_make_no_sense_say_what_is_expected(string arguments, string expected)
    {
        var (code, _, error) = AppTests.Run(arguments.Split(' '));
        Assert.Equal((2, expected), (code, error));
    }

    public void Dispose() => _folder.Dispose();
}
