using System.CommandLine.Parsing;
using System.Text.Json;
using LlmTune.Cli;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Cli.Commands;

/// <summary>One short quickstart, as it is typed.</summary>
public sealed class ShortQuickstart : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public ShortQuickstart() => (Code, Output, Error) = AppTests.Run("quickstart", "--fast", "--seed", "3", "--keep", Folder);

    public string Folder => _folder["quick start"];   // with a space, as folders may have

    public int Code { get; }

    public string Output { get; }

    public string Error { get; }

    /// <summary>The commands that stand in the story, each once, in order.</summary>
    public IReadOnlyList<string> Commands =>
    [
        .. Output.Split('\n').Select(line => line.Trim().TrimStart('$').TrimStart())
            .Where(line => line.StartsWith("llmtune ", StringComparison.Ordinal)).Distinct(),
    ];

    public void Dispose() => _folder.Dispose();
}

public sealed class QuickstartCommandTests(ShortQuickstart quickstart) : IClassFixture<ShortQuickstart>
{
    private string In(params string[] parts) => Path.Combine([quickstart.Folder, .. parts]);

    [Fact]
    public void Tells_the_story_in_numbered_steps_without_a_warning()
    {
        Assert.True(quickstart.Code == 0, quickstart.Error);
        Assert.DoesNotContain("warning", quickstart.Error, StringComparison.Ordinal);
        string[] titles = ["1/7 Data", "2/7 Tokenizer", "3/7 Model", "4/7 Pretraining", "5/7 LoRA", "6/7 Merge", "7/7 Evaluation", "Done in "];
        var places = titles.Select(title => quickstart.Output.IndexOf("\n" + title, StringComparison.Ordinal)).ToArray();
        Assert.All(places, place => Assert.True(place >= 0));
        Assert.Equal(places.Order(), places);
        Assert.All(["perplexity", "exact match", "  question   ", "  expected   SELECT ", "  before     ", "  after      "],
            text => Assert.Contains(text, quickstart.Output, StringComparison.Ordinal));
        Assert.DoesNotContain("\e", quickstart.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Leaves_everything_that_it_names()
    {
        string[] files =
        [
            "data/text.jsonl", "tokenizer/tokenizer.json", "untrained/config.json", "pretrain.yaml", "lora.yaml",
            "base/model/model.safetensors", "base/loss.svg", "base/README.md",
            "lora/adapter/adapter_model.safetensors", "lora/loss.svg", "merged/model.safetensors", "evaluation.json", "commands.sh",
        ];
        Assert.All(files, file => Assert.True(File.Exists(In(file)), file));
        Assert.Contains("![Training loss and held-out loss by step](loss.svg)", File.ReadAllText(In("lora", "README.md")), StringComparison.Ordinal);
        var script = File.ReadAllText(In("commands.sh"));
        Assert.All(quickstart.Commands.Where(command => command.Contains(quickstart.Folder, StringComparison.Ordinal)),
            command => Assert.Contains("\n" + command + "\n", script, StringComparison.Ordinal));
    }

    /// <summary>
    /// What transformers and servers look for in a model's folder: its class by name, the weights under the names of that class, a
    /// tokenizer that says its class and its special tokens, and where generations end.
    /// </summary>
    [Fact]
    public void The_models_hold_what_transformers_reads()
    {
        foreach (var folder in new[] { In("base", "model"), In("merged") })
        {
            JsonElement Read(string name) => JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, name))).RootElement;
            var (config, generation, tokenizer) = (Read("config.json"), Read("generation_config.json"), Read("tokenizer_config.json"));
            Assert.Equal(("qwen3", "Qwen3ForCausalLM"), (config.GetProperty("model_type").GetString(), config.GetProperty("architectures")[0].GetString()));
            Assert.Equal("float32", (config.TryGetProperty("dtype", out var type) ? type : config.GetProperty("torch_dtype")).GetString());
            Assert.Equal("PreTrainedTokenizerFast", tokenizer.GetProperty("tokenizer_class").GetString());

            var own = HfTokenizer.Load(folder);
            Assert.Equal(config.GetProperty("vocab_size").GetInt32(), own.VocabularySize);
            Assert.Equal(own.EosId, own.TokenId(tokenizer.GetProperty("eos_token").GetString()!));
            Assert.Equal(own.EosId, config.GetProperty("eos_token_id").GetInt32());
            Assert.Contains("<|im_end|>", File.ReadAllText(Path.Combine(folder, "chat_template.jinja")), StringComparison.Ordinal);
            var end = generation.GetProperty("eos_token_id");
            Assert.Contains(own.EosId!.Value, end.ValueKind == JsonValueKind.Array ? end.EnumerateArray().Select(value => value.GetInt32()) : [end.GetInt32()]);

            using var weights = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors"));
            Assert.Equal("pt", weights.Metadata["format"]);
            Assert.Equal(Decoder.TensorShapes(ModelFolder.Open(folder).Spec).Select(tensor => tensor.Name).Order(), weights.Tensors.Keys.Order());
            Assert.Contains("model.layers.0.self_attn.q_norm.weight", weights.Tensors.Keys);
        }
    }

    /// <summary>Before it is tuned the base is worse than a guess (ln 900 = 6.8); afterwards the loss is a fraction of that.</summary>
    [Fact]
    public void The_adapter_learns_the_task_and_the_merged_model_is_its_equal()
    {
        using var evaluation = JsonDocument.Parse(File.ReadAllText(In("evaluation.json")));
        var models = evaluation.RootElement.GetProperty("models").EnumerateArray().ToArray();
        Assert.Equal([In("base"), In("lora"), In("merged")], models.Select(model => model.GetProperty("name").GetString()));
        var losses = models.Select(model => model.GetProperty("all").GetProperty("loss").GetDouble()).ToArray();
        Assert.True(losses[0] > 5 && losses[1] < 2, $"{losses[0]} before, {losses[1]} after");
        Close.Assert(losses[1], losses[2], "adapter and merged");
        var answers = models.Select(model => model.GetProperty("answers").EnumerateArray()
            .Select(answer => answer.GetProperty("generated").GetString()!).ToArray()).ToArray();
        Assert.Equal(answers[1], answers[2]);
        Assert.DoesNotContain(answers[0], answer => answer.StartsWith("SELECT ", StringComparison.Ordinal));
        Assert.All(answers[1], answer => Assert.StartsWith("SELECT ", answer, StringComparison.Ordinal));
    }

    /// <summary>Each command works when it is copied, and all of them make the same tokenizer, weights and answers again.</summary>
    [Fact]
    public void The_commands_do_the_same_again()
    {
        Assert.Equal(11, quickstart.Commands.Count);
        string[] products =
        [
            In("tokenizer", "tokenizer.json"), In("untrained", "model.safetensors"), In("base", "model", "model.safetensors"),
            In("lora", "adapter", "adapter_model.safetensors"),
            In("merged", "model.safetensors"), In("evaluation.json"),
        ];
        var before = products.Select(File.ReadAllBytes).ToArray();
        Assert.All(quickstart.Commands, command =>
        {
            var words = CommandLineParser.SplitCommandLine(command).Skip(1).ToArray();
            Assert.Empty(ParseMistakes.Of(App.Root().Parse(words)));
            if (!command.Contains(quickstart.Folder, StringComparison.Ordinal)) return;   // with one's own model and data
            var (code, _, error) = AppTests.Run(words);
            Assert.True(code == 0, $"{command}: {error}");
        });
        Assert.All(products.Zip(before), product =>
            Assert.True(File.ReadAllBytes(product.First).AsSpan().SequenceEqual(product.Second), product.First));
    }

    [Fact]
    public void Requests_that_make_no_sense_say_what_is_expected()
    {
        var (code, _, error) = AppTests.Run("quickstart", "--seed", "-1");
        Assert.Equal((2, "error: --seed must be at least 0, got -1\n"), (code, error));

        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["notes.txt"], "mine");
        (code, _, error) = AppTests.Run("quickstart", "--fast", "--keep", folder.Path);
        Assert.Equal(
            (2, $"error: {folder.Path} is not empty and no quickstart has made it, so it is left alone; name another folder with --keep\n"), (code, error));
    }

    [Fact]
    public void The_program_is_named_as_a_shell_finds_it()
    {
        Assert.False(ProgramPath.IsFound(""));
        Assert.False(ProgramPath.IsFound(quickstart.Folder));
        Assert.True(ProgramPath.IsFound(string.Join(Path.PathSeparator, quickstart.Folder, AppContext.BaseDirectory)));
        Assert.StartsWith(OperatingSystem.IsWindows() ? "function llmtune { & " : "alias llmtune=", ProgramPath.Alias!, StringComparison.Ordinal);
        Assert.Contains(ProgramPath.Absolute, File.ReadAllText(In("commands.sh")), StringComparison.Ordinal);
    }
}
