using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Recipes;
using LlmTune.Tokenization;
using Serilog.Core;

namespace LlmTune.Tests.Tokenization;

/// <summary>
/// Tokens that the files beside a tokenizer add: ids, flags, roles and cuts of AutoTokenizer (transformers 5.23, PreTrainedTokenizerFast, so that
/// tokenizer.json is taken as it is) on stories260K's tokenizer.json.
/// </summary>
public sealed class AddedTokensTests : IDisposable
{
    private const string Text = "<s>once <x> up<|im_start|>on  <tool>a</s>\n<y> upon<z>";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Rows => [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "golden", "added-tokens", "rows.jsonl"))];

    [Theory]
    [MemberData(nameof(Rows))]
    public void They_are_those_of_transformers(string line)
    {
        var row = JsonNode.Parse(line)!;
        var tokenizer = Load(row["config"]!.AsObject(), row["files"]!.AsObject());
        Assert.Equal(
            row["added"]!.AsArray().Select(token => $"{token![0]} {token[1]} {token[2]}"),
            tokenizer.AddedTokens.OrderBy(token => token.Id).Select(token => $"{token.Id} {token.Content} "
                + $"{(token.StripLeft ? "l" : "")}{(token.StripRight ? "r" : "")}{(token.Normalized ? "n" : "")}{(token.SingleWord ? "w" : "")}{(token.Special ? "s" : "")}"));
        Assert.Equal(row["ids"]!.AsArray().Select(id => (int)id!), tokenizer.Encode(Text));
        Assert.Equal(row["roles"]!.AsArray().Select(id => (int?)id), [tokenizer.BosId, tokenizer.EosId, tokenizer.PadId, tokenizer.UnkId]);
    }

    [Fact]
    public void An_end_of_text_beyond_the_model_is_an_error_that_says_so()
    {
        Load(new JsonObject { ["eos_token"] = "<|im_end|>", ["added_tokens_decoder"] = new JsonObject() }, []);
        foreach (var name in (string[])["config.json", "model.safetensors"]) File.Copy(Path.Combine(RealModels.Stories, name), _folder[name]);
        var expected = $"eos_token '<|im_end|>' of {_folder["tokenizer_config.json"]} is not in the vocabulary: it would be added to it as id 512, and the model knows 512 ids; "
            + "name a token that is there, or take the tokenizer that goes with the model";
        File.WriteAllText(_folder["rows.jsonl"], """{"text": "Once upon a time"}""");
        File.WriteAllText(_folder["run.yaml"], $$"""
            model: { path: {{_folder.Path}} }
            adapter: { r: 2 }
            data: { cache: false, sources: [{ path: {{_folder["rows.jsonl"]}} }] }
            training: { output_dir: {{_folder["out"]}}, max_steps: 1 }
            """);
        var config = RunConfig.Load(_folder["run.yaml"]);
        Assert.Equal(expected, Assert.Throws<RequestException>(() => Preview.Run(config, 1, Logger.None)).Message);
        Assert.Equal(expected, Assert.Throws<RequestException>(() => RunPlan.Make(config, Logger.None)).Message);
        Assert.Equal(expected, Assert.Throws<RequestException>(() => ModelSource.Resolve(_folder.Path).Load(CPU, ScalarType.Float32)).Message);
    }

    [Fact]
    public void Other_tokens_beyond_the_model_are_an_error_where_they_are_used()
    {
        var tokenizer = Load(new JsonObject { ["eos_token"] = "</s>", ["bos_token"] = "<s>", ["pad_token"] = "[PAD]", ["extra_special_tokens"] = new JsonArray("<tool>") }, []);
        var codec = Codec.Of(tokenizer, template: null, vocabulary: 512);
        Assert.NotEmpty(Rendering.Render(new Example.Text("Once upon"), codec, MaskSettings.Default).Ids);
        var error = Assert.Throws<RowException>(() => Rendering.Render(new Example.Text("Once <tool>"), codec, MaskSettings.Default));
        Assert.Equal("holds the token <tool> (id 513), the model knows 512 ids", error.Message);

        foreach (var name in (string[])["config.json", "model.safetensors"]) File.Copy(Path.Combine(RealModels.Stories, name), _folder[name]);
        using var loaded = ModelSource.Resolve(_folder.Path).Load(CPU, ScalarType.Float32);
        loaded.RequireKnown(tokenizer.Encode("Once upon"));
        Assert.StartsWith("the prompt holds <tool> (id 513), and the model knows 512 ids", Assert.Throws<RequestException>(() => loaded.RequireKnown(tokenizer.Encode("<tool>"))).Message);
    }

    [Theory]
    [InlineData("<s>Once upon", 1)]
    [InlineData("<s><s>Once upon", 2)]
    [InlineData("Once upon", 1)]
    [InlineData("Once <s>upon", 1)]
    [InlineData("", 1)]
    public void A_text_that_begins_with_BOS_gets_no_other(string text, int begin)
    {
        var tokenizer = HfTokenizer.Load(RealModels.Stories);
        foreach (var ids in (int[][])[tokenizer.EncodeForModel(text), Codec.Of(tokenizer).Encode(text)])
        {
            Assert.Equal(begin, ids.TakeWhile(id => id == tokenizer.BosId).Count());
            Assert.Equal(tokenizer.Encode(text).SkipWhile(id => id == tokenizer.BosId), ids.SkipWhile(id => id == tokenizer.BosId));
        }
    }

    /// <summary>What is kept of tokenized data hangs on the files beside the tokenizer too.</summary>
    [Fact]
    public void Another_added_token_is_another_codec()
    {
        var config = new JsonObject { ["eos_token"] = "</s>" };
        var before = Codec.Of(Load(config, [])).Identity;
        Assert.Equal(before, Codec.Of(Load(config, [])).Identity);
        Assert.NotEqual(before, Codec.Of(Load(config, new JsonObject { ["added_tokens.json"] = new JsonObject { ["<x>"] = 512 } })).Identity);
    }

    private HfTokenizer Load(JsonObject config, JsonObject files)
    {
        File.WriteAllBytes(_folder["tokenizer.json"], File.ReadAllBytes(Path.Combine(RealModels.Stories, "tokenizer.json")));
        File.WriteAllText(_folder["tokenizer_config.json"], config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        foreach (var (name, content) in files) File.WriteAllText(_folder[name], content!.ToJsonString());
        return HfTokenizer.Load(_folder.Path);
    }
}
