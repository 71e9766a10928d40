using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmTune.Tokenization;

/// <summary>What a training gave. Its folder is read by Hugging Face's libraries and by <see cref="HfTokenizer.Load"/>.</summary>
public sealed class TrainedTokenizer
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly BpeTraining _training;

    internal TrainedTokenizer(BpeTraining training, IReadOnlyList<string> tokens, IReadOnlyList<(string Left, string Right)> merges) =>
        (_training, Tokens, Merges) = (training, tokens, merges);

    /// <summary>The entries in order of their ids.</summary>
    public IReadOnlyList<string> Tokens { get; }

    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    /// <summary>Writes tokenizer.json and tokenizer_config.json.</summary>
    /// <param name="roles">Which tokens are <c>bos_token</c>, <c>eos_token</c>, <c>pad_token</c> and so on.</param>
    public void Save(string folder, IReadOnlyDictionary<string, string>? roles = null)
    {
        foreach (var (role, token) in roles ?? new Dictionary<string, string>())
        {
            if (!Tokens.Contains(token)) throw new RequestException($"the {role} {token} is not in the vocabulary; name it among the special tokens");
        }
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), ToJson().ToJsonString(Readable));
        var config = new JsonObject { ["tokenizer_class"] = "PreTrainedTokenizerFast", ["clean_up_tokenization_spaces"] = false };
        foreach (var (role, token) in roles ?? new Dictionary<string, string>()) config[role] = token;
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), config.ToJsonString(Readable));
    }

    /// <summary>tokenizer.json.</summary>
    public JsonObject ToJson() => new()
    {
        ["version"] = "1.0",
        ["truncation"] = null,
        ["padding"] = null,
        ["added_tokens"] = new JsonArray([.. _training.SpecialTokens.Distinct().Select((token, id) => (JsonNode)new JsonObject
        {
            ["id"] = id,
            ["content"] = token,
            ["single_word"] = false,
            ["lstrip"] = false,
            ["rstrip"] = false,
            ["normalized"] = false,
            ["special"] = true,
        })]),
        ["normalizer"] = _training.ComposeUnicode ? new JsonObject { ["type"] = "NFC" } : null,
        ["pre_tokenizer"] = PreTokenizer(),
        ["post_processor"] = null,
        ["decoder"] = _training.Pattern == TrainingPattern.Words ? null : ByteLevelStep(addPrefixSpace: true, useRegex: true),
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
            ["vocab"] = new JsonObject(Tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
            ["merges"] = new JsonArray([.. Merges.Select(merge => (JsonNode)new JsonArray(merge.Left, merge.Right))]),
        },
    };

    private JsonObject PreTokenizer() => _training.Pattern switch
    {
        TrainingPattern.Gpt2 => ByteLevelStep(addPrefixSpace: false, useRegex: true),
        TrainingPattern.Words => new JsonObject { ["type"] = "Whitespace" },
        _ => new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject
                {
                    ["type"] = "Split",
                    ["pattern"] = new JsonObject { ["Regex"] = _training.Pattern == TrainingPattern.Cl100k ? Scanners.Cl100kPattern : Scanners.Qwen2Pattern },
                    ["behavior"] = "Isolated",
                    ["invert"] = false,
                },
                ByteLevelStep(addPrefixSpace: false, useRegex: false)),
        },
    };

    private static JsonObject ByteLevelStep(bool addPrefixSpace, bool useRegex) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = addPrefixSpace,
        ["trim_offsets"] = true,
        ["use_regex"] = useRegex,
    };
}
