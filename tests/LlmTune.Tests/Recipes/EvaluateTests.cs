using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Config;
using LlmTune.Recipes;
using LlmTune.Tests.Cli;
using Serilog.Core;

namespace LlmTune.Tests.Recipes;

/// <summary>Runs measured again from their folders: on what they held out, and on files that are read as theirs.</summary>
public sealed class EvaluateTests : IDisposable
{
    private const string Template = "{% for m in messages %}<{{ m.role }}> {{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<assistant> {% endif %}";

    private readonly TemporaryFolder _folder = new();

    public EvaluateTests()
    {
        string[] names = ["Tom", "Lily", "Ben"], things = ["ball", "cat", "tree", "boat", "cake"];
        var rows = Enumerable.Range(0, 40).Select(i => (Name: names[i % 3], Thing: things[i % 5], Number: i)).ToList();
        File.WriteAllLines(_folder["train.csv"], ["Who,What,Says", .. rows.Select(r => $"{r.Name},{r.Thing}, {r.Name} has a {r.Thing}.")]);
        File.WriteAllLines(_folder["test.csv"], ["Who,What,Says", .. rows.Take(7).Select(r => $"{r.Name},{r.Thing}, {r.Name} sees {r.Number} times a {r.Thing}.")]);
        File.WriteAllLines(_folder["chats.jsonl"], rows.Select(r => JsonSerializer.Serialize(new
        {
            messages = new[] { new { role = "user", content = $"What has {r.Name}?" }, new { role = "assistant", content = $"A {r.Thing}, {r.Number} times." } },
        })));
        File.WriteAllLines(_folder["lines.txt"], rows.Select(r => $"{r.Name} had {r.Number} times a {r.Thing}."));
        File.WriteAllText(_folder["book.txt"], string.Join(" ", rows.Select(r => $"{r.Name} had a {r.Thing}. It was number {r.Number}.")));
    }

    public void Dispose() => _folder.Dispose();

    private FinetuneResult Train(string data, string adapter = "adapter: { type: lora, r: 4 }", string model = "", string output = "run")
    {
        File.WriteAllText(_folder[$"{output}.yaml"], $$"""
            device: cpu
            model: { path: {{RealModels.Stories}}{{model}} }
            {{adapter}}
            data: {{data}}
            training: { output_dir: {{output}}, max_steps: 4, learning_rate: 5e-3, per_device_train_batch_size: 4 }
            """);
        return Finetune.Run(RunConfig.Load(_folder[$"{output}.yaml"]), force: false, Logger.None);
    }

    private const string Columns = """columns: { completion: Says }, prompt_template: "{Who} and the {What}:\n" """;

    /// <summary>What a run is trained on, and the rest of its run file.</summary>
    public static TheoryData<string, string, string> Runs => new()
    {
        { $$"""{ sources: [{ path: train.csv, {{Columns}} }], eval: { fraction: 0.3 }, max_length: 64 }""", "adapter: { type: lora, r: 4 }", "" },
        { $$"""{ sources: [{ path: train.csv, {{Columns}} }], eval: { sources: [{ path: test.csv, {{Columns}} }] }, max_length: 24, truncation: truncate }""", "adapter: { type: lora, r: 4 }", "" },
        { $$"""{ sources: [{ path: train.csv, {{Columns}}, limit: 20 }, { path: lines.txt, format: lines, label: lines }], eval: { count: 6 }, train_on_prompt: true, packing: false }""", "", "" },
        { """{ sources: [{ path: chats.jsonl }], eval: { count: 5 }, roles_to_train: [user, assistant], max_length: 48 }""", "adapter: { type: lora, r: 4 }", $", chat_template: \"{Template}\"" },
        { """{ sources: [{ path: chats.jsonl }], eval: { fraction: 0.2 }, max_length: 64 }""", "", $", chat_template: \"{Template}\"" },
        { """{ sources: [{ path: book.txt }], eval: { fraction: 0.2 }, packing: wrapped, max_length: 32 }""", "adapter: { type: lora, r: 4 }", "" },
    };

    /// <summary>Base and run give the losses that training measured before its first step and after its last.</summary>
    [Theory]
    [MemberData(nameof(Runs))]
    public void What_a_run_held_out_has_the_losses_of_its_training(string data, string adapter, string model)
    {
        var result = Train(data, adapter, model);
        var run = ModelSource.Resolve(result.Folder.Path);
        var results = Evaluate.Run(new EvaluateRequest { Targets = [run.Origin!, run], Answers = 2, MaxNewTokens = 4 }, CPU, ScalarType.Float32, Logger.None);
        Close.Assert(result.FirstEvalLoss!.Value, results[0].All.Loss, "before", 1e-6);
        Close.Assert(result.LastEvalLoss!.Value, results[1].All.Loss, "after", 1e-6);
        Assert.NotEqual(results[0].All.Loss, results[1].All.Loss);
        Assert.Equal(results[0].All.Tokens, results[1].All.Tokens);
    }

    /// <summary>The same file, held out by the run and named: the run's columns, prompt and template, for every model on the list.</summary>
    [Fact]
    public void Files_are_read_as_the_run_reads_its_own()
    {
        var result = Train($$"""{ sources: [{ path: train.csv, {{Columns}} }], eval: { sources: [{ path: test.csv, {{Columns}} }] } }""");
        File.Copy(_folder["test.csv"], _folder["other.csv"]);
        var targets = ModelSource.ResolveAll([RealModels.Stories, result.Folder.Path, result.Folder.Adapter], null);
        var results = Evaluate.Run(new EvaluateRequest { Targets = targets, Data = [_folder["other.csv"]], Answers = 0 }, CPU, ScalarType.Float32, Logger.None);
        Close.Assert(result.FirstEvalLoss!.Value, results[0].All.Loss, "the base", 1e-6);
        Close.Assert(result.LastEvalLoss!.Value, results[1].All.Loss, "the run", 1e-6);
        Close.Assert(result.LastEvalLoss!.Value, results[2].All.Loss, "its adapter", 1e-6);

        // Without a run among the targets it is said.
        var said = new EvaluateRequest
        {
            Targets = targets.Where(target => !target.IsRun).ToList(),
            Data = [_folder["other.csv"]],
            Columns = new ValueDictionary([KeyValuePair.Create("completion", "Says")]),
            PromptTemplate = "{Who} and the {What}:\n",
            Answers = 0,
        };
        results = Evaluate.Run(said, CPU, ScalarType.Float32, Logger.None);
        Close.Assert(result.FirstEvalLoss!.Value, results[0].All.Loss, "the base alone", 1e-6);
        Close.Assert(result.LastEvalLoss!.Value, results[1].All.Loss, "the adapter alone", 1e-6);
    }

    /// <summary>The run's template for the model that it began with, which has none; and one that is asked for.</summary>
    [Fact]
    public void Conversations_go_through_the_runs_template()
    {
        var result = Train("""{ sources: [{ path: chats.jsonl }], eval: { sources: [{ path: chats.jsonl }] } }""", model: $", chat_template: \"{Template}\"");
        EvaluateRequest Request(params string[] targets) => new() { Targets = ModelSource.ResolveAll(targets, null), Data = [_folder["chats.jsonl"]], Answers = 0 };
        var results = Evaluate.Run(Request(RealModels.Stories, result.Folder.Path), CPU, ScalarType.Float32, Logger.None);
        Close.Assert(result.FirstEvalLoss!.Value, results[0].All.Loss, "the base", 1e-6);
        Close.Assert(result.LastEvalLoss!.Value, results[1].All.Loss, "the run", 1e-6);

        var asked = Evaluate.Run(Request(RealModels.Stories) with { ChatTemplate = Template }, CPU, ScalarType.Float32, Logger.None);
        Close.Assert(result.FirstEvalLoss!.Value, asked[0].All.Loss, "the base with the template by name", 1e-6);
    }

    [Fact]
    public void Where_a_run_reads_its_files_in_several_ways_the_files_ending_tells_or_it_is_asked_for()
    {
        File.WriteAllLines(_folder["more.csv"], ["Q,A", "Who?, Tom.", "What?, A cat."]);
        var both = Train($$"""{ sources: [{ path: train.csv, {{Columns}} }, { path: more.csv, columns: { prompt: Q, completion: A } }, { path: chats.jsonl }] }""", model: $", chat_template: \"{Template}\"");
        File.Copy(_folder["more.csv"], _folder["third.csv"]);
        EvaluateRequest Request(string file) => new() { Targets = [ModelSource.Resolve(both.Folder.Path)], Data = [_folder[file]], Answers = 0 };
        Assert.Equal(2, Evaluate.Run(Request("more.csv"), CPU, ScalarType.Float32, Logger.None)[0].All.Documents);   // the very file
        File.Copy(_folder["chats.jsonl"], _folder["others.jsonl"]);
        Assert.Equal(40, Evaluate.Run(Request("others.jsonl"), CPU, ScalarType.Float32, Logger.None)[0].All.Documents);   // by its ending
        Assert.Equal(
            $$"""{{_folder["third.csv"]}}: the run reads its files in several ways (columns {completion: Says}, prompt_template "{Who} and the {What}:\n"; columns {completion: A, prompt: Q}; """
            + "as found from the rows); say --columns, --prompt-template or --format",
            Assert.Throws<RequestException>(() => Evaluate.Run(Request("third.csv"), CPU, ScalarType.Float32, Logger.None)).Message);
        var asked = Request("third.csv") with { Columns = new ValueDictionary([KeyValuePair.Create("prompt", "Q"), KeyValuePair.Create("completion", "A")]) };
        Assert.Equal(2, Evaluate.Run(asked, CPU, ScalarType.Float32, Logger.None)[0].All.Documents);
    }

    [Fact]
    public void Rows_that_cannot_be_told_are_asked_for()
    {
        var without = Train("{ sources: [{ path: lines.txt, format: lines }] }", output: "without").Folder.Path;
        var one = Train("{ sources: [{ path: lines.txt, format: lines }, { path: chats.jsonl }], eval: { count: 3 } }", model: $", chat_template: \"{Template}\"", output: "one").Folder.Path;
        var other = Train("{ sources: [{ path: chats.jsonl }], eval: { count: 3 } }", model: $", chat_template: \"{Template}\"", output: "other").Folder.Path;
        string Message(params string[] targets) => Assert.Throws<RequestException>(
            () => Evaluate.Run(new EvaluateRequest { Targets = ModelSource.ResolveAll(targets, null) }, CPU, ScalarType.Float32, Logger.None)).Message;
        Assert.Equal($"{RealModels.Stories}: no run whose held-out rows could be measured; name a file of rows with --data", Message(RealModels.Stories));
        Assert.Equal($"{without} held no rows out (its run.yaml has no data.eval); name a file of rows with --data", Message(without));
        Assert.Equal($"{one} and {other} held out different rows; name a file of rows with --data", Message(one, other));
    }

    [Fact]
    public void Data_that_changed_since_the_run_is_said()
    {
        var run = Train($$"""{ sources: [{ path: train.csv, {{Columns}} }], eval: { count: 6 } }""").Folder.Path;
        var warning = "warning: not the rows that the run held out: train.csv changed since it was trained\n";
        Assert.DoesNotContain(warning, AppTests.Run("eval", run, "--answers", "0").Error, StringComparison.Ordinal);
        File.AppendAllLines(_folder["train.csv"], ["Mia,boat, Mia has no boat."]);
        Assert.Contains(warning, AppTests.Run("eval", run, "--answers", "0").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_notes_the_option_for_a_run_that_was_trained_on_conversations()
    {
        const string Note = " was trained on conversations; --chat lays its chat template around the prompt";
        var chat = Train("{ sources: [{ path: chats.jsonl }] }", model: $", chat_template: \"{Template}\"", output: "chat").Folder.Path;
        var text = Train("{ sources: [{ path: lines.txt, format: lines }] }", output: "text").Folder.Path;
        foreach (var (run, options, noted) in new[] { (chat, "", true), (chat, "--chat", false), (text, "", false), ($"{chat}/adapter", "", false) })
        {
            var (code, _, error) = AppTests.Run(["generate", run, "--prompt", "Once", "-n", "2", .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
            Assert.True(code == 0, error);
            Assert.Equal(noted ? $"{run}{Note}\n" : "", error);
        }
    }

    [Fact]
    public void Eval_of_a_run_alone_shows_it_beside_its_base_and_writes_into_its_folder()
    {
        var run = Train($$"""{ sources: [{ path: train.csv, {{Columns}} }], eval: { count: 6 } }""").Folder.Path;
        var (code, output, error) = AppTests.Run("eval", run, "--answers", "0");
        Assert.True(code == 0, error);
        Assert.Contains("documents", output, StringComparison.Ordinal);
        var file = Path.Combine(run, "evaluation.json");
        Assert.Contains($"Wrote {file}", error, StringComparison.Ordinal);
        var written = JsonNode.Parse(File.ReadAllText(file))!;
        Assert.Equal(run, written["held_out_of"]!.GetValue<string>());
        Assert.Equal([RealModels.Stories, run], written["models"]!.AsArray().Select(model => model!["name"]!.GetValue<string>()));
        var ended = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "run.json")))!["ended"]!;
        double[] expected = [ended["first_eval_loss"]!.GetValue<double>(), ended["last_eval_loss"]!.GetValue<double>()];
        foreach (var (loss, model) in expected.Zip(written["models"]!.AsArray()))
            Close.Assert(loss, model!["all"]!["loss"]!.GetValue<double>(), "loss", 1e-6);

        (code, _, error) = AppTests.Run("eval", run, "--data", _folder["test.csv"], "--answers", "0", "-o", _folder["elsewhere.json"]);
        Assert.True(code == 0, error);
        Assert.Contains($$"""{{_folder["test.csv"]}} is read as the run reads its data: columns {completion: Says}, prompt_template "{Who} and the {What}:\n" """.TrimEnd(), error.ReplaceLineEndings(" "), StringComparison.Ordinal);
        Assert.True(File.Exists(_folder["elsewhere.json"]));

        (code, _, error) = AppTests.Run("eval", RealModels.Stories, "--data", _folder["test.csv"], "--columns", "prompt=Who", "completion=Says", "--answers", "0", "-o", _folder["plain.json"]);
        Assert.True(code == 0, error);
        Assert.Equal((2, "error: --limit goes with --data; what a run held out is measured as it was in training\n"), Failed("eval", run, "--limit", "3"));
        Assert.Equal((2, "error: --columns takes part=column (prompt=question completion=answer), got 'prompt'\n"), Failed("eval", run, "--data", "x", "--columns", "prompt"));

        (int, string) Failed(params string[] args) => AppTests.Run(args) is var (exit, _, said) ? (exit, said) : default;
    }
}
