using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

public sealed class TiktokenTests
{
    /// <summary>
    /// After the 256 bytes: aa 256, ab 257, aaab 258. <c>xaaab</c>: aa first, then ab, then both; <c>aaaaab</c>: aa aa ab, then aa
    /// aaab. A whole piece that is an entry is taken at once.
    /// </summary>
    [Fact]
    public void Joins_what_makes_the_lowest_rank()
    {
        using var folder = Tokenizers.Folder();
        folder.Write("tokenizer.model", Ranks("aa", "ab", "aaab"));
        var tokenizer = HfTokenizer.Load(folder.Path);
        Assert.Equal(['x', 258], tokenizer.Encode("xaaab"));
        Assert.Equal([256, 258], tokenizer.Encode("aaaaab"));
        Assert.Equal([258, ' '], tokenizer.Encode("aaab "));
    }

    [Fact]
    public void Knows_Llama_3s_special_tokens()
    {
        using var folder = Tokenizers.Folder();
        folder.Write("tokenizer.model", Ranks());
        var tokenizer = HfTokenizer.Load(folder.Path);
        Assert.Equal((256, 257, 256 + 256), (tokenizer.BosId, tokenizer.EosId, tokenizer.VocabularySize));
        Assert.Equal(256 + 9, tokenizer.TokenId("<|eot_id|>"));
        Assert.Equal([256, 'h', 'i', 265], tokenizer.Encode("hi<|eot_id|>", addSpecialTokens: true));
    }

    [Theory]
    [InlineData("YQ== 0\nYg== 2\n", ":2: expected the rank 1, found 2")]
    [InlineData("YQ== 0\nnot a line\n", ":2: expected base64 and a rank, found 'not a line'")]
    [InlineData("YQ== 0\n", ": some of the 256 single bytes have no rank")]
    public void Says_what_is_wrong(string content, string message)
    {
        using var folder = Tokenizers.Folder();
        var file = folder.Write("tokenizer.model", content);
        Assert.Equal(file + message, Assert.Throws<RequestException>(() => HfTokenizer.Load(folder.Path)).Message);
    }

    private static string Ranks(params string[] more)
    {
        var tokens = Enumerable.Range(0, 256).Select(b => new[] { (byte)b }).Concat(more.Select(System.Text.Encoding.UTF8.GetBytes));
        return string.Concat(tokens.Select((bytes, rank) => $"{Convert.ToBase64String(bytes)} {rank}\n"));
    }
}
