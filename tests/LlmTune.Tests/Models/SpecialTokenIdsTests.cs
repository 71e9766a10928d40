using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmTune.Models;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Models;

/// <summary>The special tokens of config.json and generation_config.json, as transformers aligns them with a tokenizer.</summary>
public sealed partial class SpecialTokenIdsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// config.json, generation_config.json (null: the model has none), the tokenizer; what transformers 5.23 leaves in both
    /// (trainer_utils.align_special_tokens on a LlamaForCausalLM with these ids, called in Python).
    /// </summary>
    public static TheoryData<string, string, string, string, string> Aligned => new()
    {
        { "{eos:1,bos:1}", "{eos:1,bos:1}", "{eos:2,bos:1,pad:2}", "{eos:2,bos:1,pad:2}", "{eos:[2,1],bos:1,pad:2}" },
        { "{eos:2,bos:1}", "{eos:2,bos:1}", "{eos:2,bos:1}", "{eos:2,bos:1}", "{eos:2,bos:1}" },
        { "{eos:2,bos:1}", "{eos:[2,3],bos:1}", "{eos:3}", "{eos:3,bos:1}", "{eos:[3,2],bos:1}" },
        { "{eos:[4,5],bos:1}", "{eos:[4,5]}", "{eos:5,bos:1}", "{eos:[4,5],bos:1}", "{eos:[4,5],bos:1}" },
        { "{eos:[4,5],bos:1}", "{eos:[4,5],bos:1}", "{eos:6,bos:3,pad:7}", "{eos:[6,4,5],bos:3,pad:7}", "{eos:[6,4,5],bos:3,pad:7}" },
        { "{eos:[4,5]}", "null", "{eos:6}", "{eos:[6,4,5]}", "{eos:[6,4,5]}" },
        { "{eos:2,bos:1,pad:0}", "{}", "{eos:2,bos:1,pad:0}", "{eos:2,bos:1,pad:0}", "{eos:[2],bos:1,pad:0}" },
        { "{eos:2,bos:1}", "null", "{eos:2,bos:1}", "{eos:2,bos:1}", "{eos:2,bos:1}" },
        { "{eos:2,bos:1}", "null", "{pad:9}", "{eos:2,bos:1,pad:9}", "{eos:2,bos:1,pad:9}" },
        { "{}", "{}", "{eos:2}", "{eos:2}", "{eos:[2]}" },
        { "{eos:2}", "{eos:3}", "{eos:2}", "{eos:2}", "{eos:[2,3]}" },
        { "{eos:3}", "{eos:[2]}", "{eos:2}", "{eos:2}", "{eos:[2]}" },
        { "{eos:1,pad:1}", "{eos:1,pad:0}", "{}", "{eos:1,pad:1}", "{eos:1,pad:0}" },
    };

    [Theory]
    [MemberData(nameof(Aligned))]
    public void They_are_those_of_transformers(string model, string generation, string tokenizer, string expectedModel, string expectedGeneration)
    {
        var config = Ids(model)!;
        var generated = Ids(generation) ?? SpecialTokenIds.Generation(config);
        SpecialTokenIds.Align(config, generated, Tokenizer(tokenizer), []);
        Assert.True(JsonNode.DeepEquals(Ids(expectedModel), config), $"{config}");
        Assert.True(JsonNode.DeepEquals(Ids(expectedGeneration), generated), $"{generated}");
    }

    /// <summary>What answers were trained to end with comes behind the tokenizer's, in generation_config.json alone.</summary>
    [Theory]
    [InlineData("{eos:1}", "{eos:1}", "{eos:2}", "[3]", "{eos:2}", "{eos:[2,1,3]}")]
    [InlineData("{eos:1}", "{eos:[1,3]}", "{eos:1}", "[3]", "{eos:1}", "{eos:[1,3]}")]
    [InlineData("{}", "{}", "{}", "[3,4]", "{}", "{eos:[3,4]}")]
    [InlineData("{eos:2,vocab_size:5}", "{eos:2}", "{eos:2,pad:5}", "[7,4]", "{eos:2,vocab_size:5}", "{eos:[2,4]}")]   // rows that the model has not got
    public void Trained_ends_are_added(string model, string generation, string tokenizer, string trained, string expectedModel, string expectedGeneration)
    {
        var (config, generated) = (Ids(model)!, Ids(generation)!);
        SpecialTokenIds.Align(config, generated, Tokenizer(tokenizer), JsonNode.Parse(trained)!.AsArray().GetValues<int>());
        Assert.True(JsonNode.DeepEquals(Ids(expectedModel), config), $"{config}");
        Assert.True(JsonNode.DeepEquals(Ids(expectedGeneration), generated), $"{generated}");
    }

    [Fact]
    public void Changes_are_said_with_what_was_there() => Assert.Equal(
        ["eos_token_id [2, 1] (was 1)", "pad_token_id 2 (was not there)"],
        SpecialTokenIds.Changes(Ids("{eos:1,bos:1}")!, Ids("{eos:[2,1],bos:1,pad:2}")!));

    /// <summary>eos:1 as "eos_token_id": 1.</summary>
    private static JsonObject? Ids(string text) =>
        (JsonObject?)JsonNode.Parse(Key().Replace(text, match => match.Value == "vocab_size" ? "\"vocab_size\"" : $"\"{match.Value}_token_id\"").Replace("\"null_token_id\"", "null", StringComparison.Ordinal));

    /// <summary>A tokenizer of 16 words, t0 to t15, with these roles.</summary>
    private HfTokenizer Tokenizer(string roles)
    {
        var words = new JsonObject(Enumerable.Range(0, 16).Select(i => KeyValuePair.Create($"t{i}", (JsonNode?)i)));
        File.WriteAllText(_folder["tokenizer.json"], new JsonObject { ["model"] = new JsonObject { ["type"] = "WordLevel", ["vocab"] = words, ["unk_token"] = "t0" } }.ToJsonString());
        var config = new JsonObject(Ids(roles)!.Select(role => KeyValuePair.Create(role.Key.Replace("_id", "", StringComparison.Ordinal), (JsonNode?)$"t{role.Value}")));
        File.WriteAllText(_folder["tokenizer_config.json"], config.ToJsonString());
        return HfTokenizer.Load(_folder.Path);
    }

    [GeneratedRegex("[a-z_]+")]
    private static partial Regex Key();
}
