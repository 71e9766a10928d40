using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <summary>
/// A model folder with a byte-level BPE that knows every byte, a few merges and added tokens: small enough for ids to be counted by hand.
/// The 256 bytes come first in the order of GPT-2's alphabet, then what is merged, then the added tokens.
/// </summary>
internal sealed class SmallTokenizer : IDisposable
{
    public SmallTokenizer(string[] added, (string Left, string Right)[]? merges = null, object? config = null, string? template = null, string? pattern = null)
    {
        var vocabulary = new JsonObject();
        foreach (var c in Alphabet()) vocabulary[c.ToString()] = vocabulary.Count;
        foreach (var (left, right) in merges ?? []) vocabulary[left + right] = vocabulary.Count;
        var file = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray([.. added.Select((content, i) => (JsonNode)new JsonObject
            {
                ["id"] = vocabulary.Count + i,
                ["content"] = content,
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = true,
            })]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = pattern is null
                ? JsonNode.Parse("""{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true}""")
                : new JsonObject
                {
                    ["type"] = "Sequence",
                    ["pretokenizers"] = new JsonArray(
                        new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = pattern }, ["behavior"] = "Isolated", ["invert"] = false },
                        JsonNode.Parse("""{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}""")),
                },
            ["post_processor"] = null,
            ["decoder"] = JsonNode.Parse("""{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true}"""),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. (merges ?? []).Select(m => (JsonNode)new JsonArray(m.Left, m.Right))]),
            },
        };
        Folder = Directory.CreateTempSubdirectory("llmtune-tokenizer-").FullName;
        Write("tokenizer.json", file.ToJsonString());
        if (config is not null) Write("tokenizer_config.json", JsonSerializer.Serialize(config));
        if (template is not null) Write("chat_template.jinja", template);
        Tokenizer = HfTokenizer.Load(Folder);
    }

    public string Folder { get; }

    public HfTokenizer Tokenizer { get; private set; }

    public ChatTemplate Template => ChatTemplate.Require(Tokenizer, Folder);

    /// <summary>Writes a file into the folder, and loads the tokenizer anew.</summary>
    public SmallTokenizer With(string name, string text)
    {
        Write(name, text);
        Tokenizer = HfTokenizer.Load(Folder);
        return this;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>GPT-2's letters for the bytes: printable ones as they are, the others from U+0100 on.</summary>
    private static IEnumerable<char> Alphabet()
    {
        var next = 0x100;
        for (var b = 0; b < 256; b++) yield return b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)b : (char)next++;
    }

    private void Write(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
