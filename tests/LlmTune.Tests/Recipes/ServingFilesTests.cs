using System.Text.Json.Nodes;
using LlmTune.Models;
using LlmTune.Recipes;
using LlmTune.Tests.Tokenization;
using LlmTune.Tokenization;
using Serilog.Core;

namespace LlmTune.Tests.Recipes;

/// <summary>
/// What runs and merges leave is used as it was trained: the template lies in the folder, and generations end where answers do, in the
/// files that transformers' AutoTokenizer, AutoModelForCausalLM and GenerationConfig read.
/// </summary>
public sealed class ServingFilesTests : IDisposable
{
    private const int Bos = 256, Eos = 257, Close = 259;

    /// <summary>A header before each turn, and a mark of its own behind it.</summary>
    private const string Marked =
        "{% for m in messages %}<|role|>{{ m.role }}\n{{ m.content }}<|eot|>{% endfor %}{% if add_generation_prompt %}<|role|>assistant\n{% endif %}";

    private static readonly Dictionary<string, Base> Bases = new()
    {
        ["tied, ChatML by its marks"] = new() { Generation = [Eos, Close] },
        ["untied, with rows of text"] = new() { Tied = false, Chat = false, Generation = [Eos] },
        ["no generation_config.json"] = new() { GenerationConfig = null, Generation = [Eos, Close] },
        ["no tokenizer_config.json"] = new() { TokenizerConfig = null, ModelEos = "257", Generation = [Eos, Close], Model = [Eos] },
        ["no end in the tokenizer"] = new() { TokenizerConfig = "{}", ModelEos = "null", GenerationConfig = "{}", Generation = [Close], Model = [] },
        ["only in special_tokens_map.json"] = new() { TokenizerConfig = """{"tokenizer_class": "PreTrainedTokenizerFast"}""", Map = """{"eos_token": "</s>"}""", Generation = [Eos, Close] },
        ["the model ends elsewhere"] = new() { Chat = false, ModelEos = "5", GenerationConfig = """{"eos_token_id": 5, "top_k": 3}""", Generation = [Eos, 5] },
        ["lists of ends"] = new() { ModelEos = "[5, 6]", GenerationConfig = """{"eos_token_id": [5, 6, 257]}""", Generation = [Eos, 5, 6, Close], Model = [Eos, 5, 6] },
        ["the mark is the end already"] = new() { TokenizerConfig = """{"eos_token": "<|im_end|>"}""", Generation = [Close, Eos], Model = [Close] },
        ["a template of its own"] = new() { Marks = ["<|role|>", "<|eot|>"], Own = Marked, Template = Marked, Generation = [Eos, Close] },
        ["a template of its own, with rows of text"] = new() { Marks = ["<|role|>", "<|eot|>"], Own = Marked, Chat = false, Template = Marked, Generation = [Eos] },
        ["a template of the run in the place of its own"] = new() { Marks = ["<|role|>", "<|eot|>"], Own = "{{ messages[0].content }}", Set = Marked, Template = Marked, Generation = [Eos, Close] },
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Names => [.. Bases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Adapter_model_and_merged_model_end_where_answers_were_trained_to_end(string name)
    {
        var origin = Bases[name];
        Write(origin);
        var full = Finetune.Run(Config(origin, "full", ""), force: false, Logger.None).Folder.Model;
        var adapter = Finetune.Run(Config(origin, "lora", "adapter: { type: lora, r: 2 }"), force: false, Logger.None).Folder.Adapter;
        Merge.Run(ModelSource.Resolve(adapter), _folder["merged"], force: false, CPU, Logger.None);

        foreach (var folder in new[] { full, adapter, _folder["merged"] })
        {
            Assert.Equal(origin.Generation, SpecialTokenIds.Ends(ModelFiles.ReadGeneration(folder)!));
            if (folder != adapter) Assert.Equal(origin.Model, SpecialTokenIds.Ends(ModelFiles.ReadConfig(folder)));
            Assert.Equal(origin.Template, File.ReadAllText(Path.Combine(folder, "chat_template.jinja")));
            // AutoTokenizer needs a class by name where no config.json stands beside, and looks for roles in this file.
            var tokenizer = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer_config.json")))!;
            Assert.Equal(origin.TokenizerEos, tokenizer["eos_token"]?.GetValue<string>());
            Assert.True(origin.TokenizerConfig is not null || tokenizer["tokenizer_class"]!.GetValue<string>() == "PreTrainedTokenizerFast");
            Assert.Null(tokenizer["chat_template"] is { } kept && kept.GetValue<string>() != origin.Template ? kept : null);

            // And LlmTune itself, of the folder alone: the base's files beside an adapter.
            using var loaded = ModelSource.Resolve(folder).Load(CPU, ScalarType.Float32);
            Assert.Equal(origin.Generation.Order(), loaded.EndTokens.Order());
            Assert.Equal(origin.Template, loaded.Template!.Source);
        }
    }

    [Fact]
    public void What_else_a_generation_config_says_stays()
    {
        var origin = Bases["the model ends elsewhere"];
        Write(origin);
        var full = Finetune.Run(Config(origin, "full", ""), force: false, Logger.None).Folder.Model;
        Assert.Equal(3, ModelFiles.ReadGeneration(full)!["top_k"]!.GetValue<int>());
    }

    /// <summary>Templates with names stay beside the default one, and go where the run has set another.</summary>
    [Theory]
    [InlineData(null, true)]
    [InlineData(Marked, false)]
    public void Templates_with_names_stay_with_the_models_own(string? set, bool stay)
    {
        var named = new JsonArray(
            new JsonObject { ["name"] = "default", ["template"] = Marked },
            new JsonObject { ["name"] = "tool_use", ["template"] = "{{ tools }}" },
            new JsonObject { ["name"] = "rag", ["template"] = "{{ documents }}" });
        var origin = new Base
        {
            Marks = ["<|role|>", "<|eot|>"],
            TokenizerConfig = new JsonObject { ["eos_token"] = "</s>", ["chat_template"] = named }.ToJsonString(),
            Set = set,
            Template = Marked,
            Generation = [Eos, Close],
        };
        Write(origin);
        var folder = Finetune.Run(Config(origin, "lora", "adapter: { type: lora, r: 2 }"), force: false, Logger.None).Folder.Adapter;
        Assert.Equal(Marked, File.ReadAllText(Path.Combine(folder, "chat_template.jinja")));
        var additional = Path.Combine(folder, "additional_chat_templates");
        string[] expected = stay ? ["rag.jinja", "tool_use.jinja"] : [];
        Assert.Equal(expected, Directory.Exists(additional) ? [.. Directory.GetFiles(additional).Select(file => Path.GetFileName(file)!).Order()] : []);
        if (stay) Assert.Equal("{{ tools }}", File.ReadAllText(Path.Combine(additional, "tool_use.jinja")));
        Assert.Equal(stay, File.ReadAllText(Path.Combine(folder, "tokenizer_config.json")).Contains("tool_use", StringComparison.Ordinal));
    }

    /// <summary>An adapter of other tools says nothing of ends: the template tells.</summary>
    [Fact]
    public void An_adapter_without_a_generation_config_ends_with_the_templates_turns()
    {
        var origin = Bases["a template of its own"];
        Write(origin);
        var adapter = Finetune.Run(Config(origin, "lora", "adapter: { type: lora, r: 2 }"), force: false, Logger.None).Folder.Adapter;
        foreach (var name in new[] { "generation_config.json", "chat_template.jinja", "tokenizer.json", "tokenizer_config.json" }) File.Delete(Path.Combine(adapter, name));
        Merge.Run(ModelSource.Resolve(adapter), _folder["merged"], force: false, CPU, Logger.None);
        Assert.Equal([Eos, Close], SpecialTokenIds.Ends(ModelFiles.ReadGeneration(_folder["merged"])!));
        Assert.Equal(Marked, File.ReadAllText(_folder["merged/chat_template.jinja"]));
    }

    [Fact]
    public void Template_and_ends_are_said()
    {
        Write(Bases["lists of ends"]);
        var (code, _, error) = Cli.AppTests.Run("train", Yaml(Bases["lists of ends"], "full", ""));
        Assert.True(code == 0, error);
        Assert.Contains("\nChat template saved: built-in ChatML\n", error, StringComparison.Ordinal);
        Assert.Contains(
            "\nAnswers end at </s> (257), ą (5), Ć (6), <|im_end|> (259); generation_config.json now has eos_token_id [257, 5, 6, 259] (was [5, 6, 257]), bos_token_id 256 (was not there)\n", error, StringComparison.Ordinal);
        Assert.Contains("\nconfig.json now has eos_token_id [257, 5, 6] (was [5, 6])\n", error, StringComparison.Ordinal);
        Assert.DoesNotContain("stop-token", error, StringComparison.Ordinal);   // the warning about what is put right here
    }

    /// <summary>The base's folder: bytes, then &lt;s&gt; (256), &lt;/s&gt; (257), and the two marks of a template (258, 259).</summary>
    private void Write(Base origin)
    {
        using var tokenizer = new SmallTokenizer(["<s>", "</s>", .. origin.Marks]);
        var shape = Directory.CreateDirectory(_folder["shape"]).FullName;
        File.WriteAllText(Path.Combine(shape, "config.json"), $$"""
            {
              "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 264, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
              "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 128, "tie_word_embeddings": {{(origin.Tied ? "true" : "false")}},
              "bos_token_id": {{Bos}}, "eos_token_id": {{origin.ModelEos}}
            }
            """);
        InitModel.Run(new InitModelRequest { Shape = shape, Output = _folder["base"] });
        ModelFiles.CopyTokenizer(tokenizer.Folder, _folder["base"]);
        void Add(string name, string? content)
        {
            if (content is not null) File.WriteAllText(_folder[$"base/{name}"], content);
        }
        Add("tokenizer_config.json", origin.TokenizerConfig);
        Add("special_tokens_map.json", origin.Map);
        Add("generation_config.json", origin.GenerationConfig);
        Add("chat_template.jinja", origin.Own);
        File.WriteAllText(_folder["rows.jsonl"], origin.Chat
            ? """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}"""
            : """{"prompt": "Hi", "completion": " Hello"}""");
        if (origin.Set is not null) File.WriteAllText(_folder["set.jinja"], origin.Set);
    }

    private RunConfig Config(Base origin, string output, string adapter) => RunConfig.Load(Yaml(origin, output, adapter));

    private string Yaml(Base origin, string output, string adapter)
    {
        File.WriteAllText(_folder["run.yaml"], $$"""
            device: cpu
            model: { path: base{{(origin.Set is null ? "" : ", chat_template: set.jinja")}} }
            {{adapter}}
            data: { cache: false, max_length: 64, sources: [{ path: rows.jsonl }] }
            training: { output_dir: {{output}}, max_steps: 1 }
            """);
        return _folder["run.yaml"];
    }

    /// <summary>What a base has, and what is expected of all that is made of it.</summary>
    private sealed record Base
    {
        public bool Tied { get; init; } = true;

        public bool Chat { get; init; } = true;

        public string[] Marks { get; init; } = ["<|im_start|>", "<|im_end|>"];

        /// <summary>The template in its folder, and the one that the run sets.</summary>
        public string? Own { get; init; }

        public string? Set { get; init; }

        public string? TokenizerConfig { get; init; } = """{"bos_token": "<s>", "eos_token": "</s>"}""";

        public string? Map { get; init; }

        public string ModelEos { get; init; } = $"{Eos}";

        public string? GenerationConfig { get; init; } = $$"""{"eos_token_id": {{Eos}}}""";

        public required int[] Generation { get; init; }

        public int[] Model { get; init; } = [Eos];

        public string Template { get; init; } = TemplateSources.ChatMl;

        public string? TokenizerEos => TokenizerConfig is null or "{}" ? null : TokenizerConfig.Contains("<|im_end|>", StringComparison.Ordinal) ? "<|im_end|>" : "</s>";
    }
}
