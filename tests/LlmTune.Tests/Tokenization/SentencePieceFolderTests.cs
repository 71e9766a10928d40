using System.Text.Json.Nodes;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <summary>
/// A model's folder whose only vocabulary is tokenizer.model: its special tokens are cut out of the text, as transformers 5.23 does it. Ids are
/// AutoTokenizer's on babyllama105, the model that this file belongs to.
/// </summary>
public sealed class SentencePieceFolderTests : IDisposable
{
    private const string Model =
        "Cg4KBTx1bms+FQAAAAAYAgoMCgM8cz4VAAAAABgDCg0KBDwvcz4VAAAAABgDCgoKA+KWgRUAAACACggKAWUVAACAvwoICgFhFQAAAMAKCAoBdBUAAEDACggKAW8VAACAwAoICgFoFQAAoMAKCAoBbh"
        + "UAAMDACggKAWkVAADgwAoICgFkFQAAAMEKCAoBcxUAABDBCggKAXIVAAAgwQoICgFsFQAAMMEKCAoBeRUAAEDBCggKAW0VAABQwQoICgF3FQAAYMEKCAoBdRUAAHDBCggKAS4VAACAwQoICgFwFQAA"
        + "iMEKCAoBZxUAAJDBCggKAWMVAACYwQoICgFiFQAAoMEKCAoBZhUAAKjBCggKASwVAACwwQoICgFrFQAAuMEKCAoBVBUAAMDBCggKAXYVAADIwQoICgEiFQAA0MEKCAoBUxUAANjBCggKAUwVAADgwQ"
        + "oICgEnFQAA6MEKCAoBSBUAAPDBCggKAU8VAAD4wQoICgFJFQAAAMIKCAoBIRUAAATCCggKAXgVAAAIwgoICgFCFQAADMIKCAoBTRUAABDCCggKAUEVAAAUwgoICgFXFQAAGMIKCAoBahUAABzCCggK"
        + "AT8VAAAgwgoICgF6FQAAJMIKCAoBWRUAACjCCggKAUYVAAAswgoICgFKFQAAMMIKCAoBRBUAADTCCggKAXEVAAA4wgoICgFDFQAAPMIKCAoBThUAAEDCCggKAUUVAABEwgoICgFQFQAASMIKCAoBUh"
        + "UAAEzCCggKAUsVAABQwgoICgFHFQAAVMIKCAoBLRUAAFjCCgoKA+KAnBUAAFzCCgoKA+KAnRUAAGDCCggKAToVAABkwgoKCgPigJkVAABowgoICgFaFQAAbMIKCAoBVhUAAHDCCggKAVUVAAB0wgoI"
        + "CgEzFQAAeMIKCAoBURUAAHzCCggKATsVAACAwgoICgExFQAAgsIKCgoD4oCTFQAAhMIKCAoBMBUAAIbCCggKAVgVAACIwgoICgEyFQAAisIKCAoBNRUAAIzCCgoKA+KAlBUAAI7CCgoKA+KAmBUAAJ"
        + "DCCggKATkVAACSwgoICgE0FQAAlMIKCQoCw6kVAACWwgoKCgPigKYVAACYwgoICgE4FQAAmsIKCAoBKRUAAJzCCggKASgVAACewgoICgE2FQAAoMIKCAoBNxUAAKLCCggKAS8VAACkwgoJCgLDsRUA"
        + "AKbCCggKASQVAACowgoICgFgFQAAqsIKCAoBKxUAAKzCCggKASoVAACuwgoJCgLCoBUAALDCCggKASYVAACywgoICgFcFQAAtMIKCAoBJRUAALbCCgkKAsOiFQAAuMIKCgoD4oKsFQAAusIKCAoBPB"
        + "UAALzCCggKAT4VAAC+wgoICgF8FQAAwMIKCgoD4oSiFQAAwsIKCAoBWxUAAMTCCggKAV0VAADGwgoICgF+FQAAyMIKCgoD4oCKFQAAysISSgoNZGF0YS90aW55LnR4dBILZGF0YS90b2sxMDUYAiBp"
        + "MAA6BHRleHRVAACAP4ABAsgBAdABAZgCAOICDiBcMzQyXDIwMVwyMDcgGgwKCGlkZW50aXR5EgA=";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true, "<s>once upon</s>", "1 1 3 7 9 22 4 3 18 20 7 9 2")]
    [InlineData(true, "<unk>a<unk>b", "1 0 3 5 0 3 23")]
    [InlineData(true, "a  b <x>c", "1 3 5 3 3 23 3 105 3 22")]
    [InlineData(true, "</s>", "1 2")]
    [InlineData(false, "<s>once upon</s>", "1 1 7 9 22 4 3 18 20 7 9 2")]
    [InlineData(false, "once upon</s> a<s>time", "1 3 7 9 22 4 3 18 20 7 9 2 3 5 1 6 10 16 4")]
    [InlineData(false, "<unk> a<unk>b", "1 0 3 5 0 23")]
    [InlineData(false, "a  b <x>c", "1 3 5 3 3 23 3 105 22")]
    public void Special_tokens_are_cut_out_of_the_text(bool legacy, string text, string ids)
    {
        var tokenizer = Load(new JsonObject
        {
            ["add_bos_token"] = true,
            ["bos_token"] = "<s>",
            ["eos_token"] = "</s>",
            ["unk_token"] = "<unk>",
            ["legacy"] = legacy,
            ["extra_special_tokens"] = new JsonArray("<x>"),
        });
        Assert.Equal(ids, string.Join(' ', tokenizer.Encode(text, addSpecialTokens: true)));
        Assert.Equal(tokenizer.Encode(text, addSpecialTokens: true), tokenizer.EncodeFull(text).Ids);
        Assert.Equal((1, 2, 0, 106), (tokenizer.BosId, tokenizer.EosId, tokenizer.UnkId, tokenizer.VocabularySize));
    }

    /// <summary>The same folder with tokenizer.json instead, as it was converted.</summary>
    [Theory]
    [InlineData("<s>once upon</s>")]
    [InlineData("one<s></s>two  three</s>\n<unk>")]
    [InlineData(" leading and trailing ")]
    [InlineData("")]
    public void It_gives_the_ids_of_the_converted_file(string text)
    {
        var converted = RealModels.Find("babyllama105") ?? "";
        if (converted.Length == 0) Assert.Skip("needs babyllama105");
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(converted, "tokenizer_config.json")))!.AsObject();
        Assert.Equal(HfTokenizer.Load(converted).Encode(text, addSpecialTokens: true), Load(config).Encode(text, addSpecialTokens: true));
    }

    [Fact]
    public void Alone_or_with_nothing_beside_it_the_roles_are_those_of_the_file()
    {
        var ofFolder = Load(null);
        Assert.Equal((1, 2, 0), (ofFolder.BosId, ofFolder.EosId, ofFolder.UnkId));
        Assert.Equal([1], ofFolder.Encode("<s>"));
        // SentencePiece itself does not look for control pieces in text.
        Assert.DoesNotContain(1, HfTokenizer.Load(_folder["tokenizer.model"]).Encode("<s>"));
        var empty = Load(new JsonObject { ["bos_token"] = "", ["eos_token"] = "", ["unk_token"] = "" });
        Assert.Equal((1, 2, 0), (empty.BosId, empty.EosId, empty.UnkId));
    }

    private HfTokenizer Load(JsonObject? config)
    {
        File.WriteAllBytes(_folder["tokenizer.model"], Convert.FromBase64String(Model));
        if (config is not null) File.WriteAllText(_folder["tokenizer_config.json"], config.ToJsonString());
        return HfTokenizer.Load(_folder.Path);
    }
}
