using System.Text;
using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Io;

/// <summary>A pointer of Git LFS in the place of any file that is read, whatever its name says.</summary>
public sealed class LfsPointerTests : IDisposable
{
    private const string Pointer = """
        version https://git-lfs.github.com/spec/v1
        oid sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        size 1044992

        """;

    private const string Config = """{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 512, "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 1, "num_attention_heads": 8}""";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Written(string name, string content = Pointer)
    {
        File.WriteAllText(_folder[name], content.ReplaceLineEndings("\n"));
        return _folder[name];
    }

    private void Refused(string file, Action read) => Assert.Equal(
        $"{_folder[file]} is a pointer of Git LFS, not the file of 1,044,992 bytes itself; fetch it with 'git lfs install' and 'git lfs pull' in its repository, "
        + "or download it anew (hf download)", Assert.Throws<RequestException>(read).Message);

    [Theory]
    [InlineData("rows.jsonl")]
    [InlineData("rows.ndjson")]
    [InlineData("rows.json")]
    [InlineData("rows.csv")]
    [InlineData("rows.tsv")]
    [InlineData("rows.txt")]
    [InlineData("rows.parquet")]
    [InlineData("rows.arrow")]
    [InlineData("rows.jsonl.gz")]
    [InlineData("rows.csv.zst")]
    public void In_the_place_of_rows(string name)
    {
        var file = Written(name);
        Refused(name, () => Source.Open(new SourceConfig { Path = file }, RowSettings.Default).Dispose());
        Refused(name, () => Source.Open(new SourceConfig { Path = _folder.Path }, RowSettings.Default).Dispose());
    }

    [Fact]
    public void In_the_place_of_a_description_of_data_sets()
    {
        Written("dataset_info.json");
        Refused("dataset_info.json", () => Source.Open(new SourceConfig { Name = "a", Dir = _folder.Path }, RowSettings.Default).Dispose());
    }

    [Theory]
    [InlineData("tokenizer.json")]
    [InlineData("tokenizer.model")]
    public void In_the_place_of_a_tokenizer(string name)
    {
        Written(name);
        Refused(name, () => HfTokenizer.Load(_folder.Path));
    }

    [Fact]
    public void In_the_place_of_a_chat_template()
    {
        var tokenizer = HfTokenizer.Load(RealModels.Stories);
        Written("mine.jinja");
        Refused("mine.jinja", () => ChatTemplate.For(tokenizer, _folder.Path, _folder["mine.jinja"]));
        Written("chat_template.json");
        Refused("chat_template.json", () => ChatTemplate.For(tokenizer, _folder.Path));
        Written("chat_template.jinja");
        Refused("chat_template.jinja", () => ChatTemplate.For(tokenizer, _folder.Path));
    }

    [Fact]
    public void In_the_place_of_a_models_files()
    {
        Written("config.json");
        Refused("config.json", () => ModelFolder.Open(_folder.Path));
        Written("config.json", Config);
        Written("model.safetensors.index.json");
        Refused("model.safetensors.index.json", () => ModelFolder.Open(_folder.Path).Load(CPU, ScalarType.Float32));
        Written("model.safetensors");
        Refused("model.safetensors", () => ModelFolder.Open(_folder.Path).Load(CPU, ScalarType.Float32));
        Written("adapter_config.json");
        Refused("adapter_config.json", () => PeftConfig.Read(_folder.Path));
        Written("adapter_config.json", """{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"]}""");
        Written("adapter_model.safetensors");
        Refused("adapter_model.safetensors", () => AdapterFolder.Load(_folder.Path, [], CPU, trainable: false));
    }

    /// <summary>Of shards all that are pointers are named.</summary>
    [Fact]
    public void In_the_place_of_shards()
    {
        Written("model.safetensors.index.json", """{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}""");
        Written("model-00001-of-00002.safetensors");
        Written("model-00002-of-00002.safetensors");
        var message = Assert.Throws<RunException>(() => SafetensorsFolder.Open(_folder.Path)).Message;
        Assert.Contains($"{_folder["model-00001-of-00002.safetensors"]} is a pointer of Git LFS, not the file of 1,044,992 bytes itself", message, StringComparison.Ordinal);
        Assert.Contains($"{_folder["model-00002-of-00002.safetensors"]} is a pointer", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("version https://git-lfs.github.com/spec/v1\r\noid sha256:00\r\nsize 17\r\n", " of 17 bytes")]
    [InlineData("version https://git-lfs.github.com/spec/v2\noid sha256:00\n", "")]
    public void Other_pointers_are_known_too(string pointer, string size) => Assert.StartsWith(
        $"x is a pointer of Git LFS, not the file{size} itself; ",
        Assert.Throws<RequestException>(() => LfsPointer.Refuse("x", Encoding.UTF8.GetBytes(pointer))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("version 1")]
    [InlineData("the version https://git-lfs.github.com/spec/v1")]
    public void Other_files_are_none(string content) => LfsPointer.Refuse("x", Encoding.UTF8.GetBytes(content));
}
