using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Cli.Commands;

public sealed class TokenizerCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private (int Code, string Output, string Error) Train(params string[] args) => AppTests.Run(["tokenizer", "train", .. args, "--output", _folder["tok"]]);

    private string[] Merges() =>
        [.. JsonNode.Parse(File.ReadAllText(Path.Combine(_folder["tok"], "tokenizer.json")))!["model"]!["merges"]!.AsArray().Select(pair => $"{pair![0]} {pair[1]}")];

    /// <summary>By hand: "ab" occurs 4 times, then "ab c" 3 times; "x y" only once.</summary>
    [Fact]
    public void The_most_frequent_pairs_are_merged_and_the_folder_is_a_tokenizer()
    {
        File.WriteAllText(_folder["a.txt"], "abc\nabc\nabc\nab\nxy\n");
        var (code, output, error) = Train(_folder["a.txt"], "--vocab-size", "300", "--special-tokens", "<pad>", "</s>", "--pattern", "gpt2");
        Assert.True(code == 0, error);
        Assert.Equal("", output);
        Assert.Equal(["a b", "ab c"], Merges());
        Assert.Contains("warning: the texts give 260 entries, 300 were asked for: no other pair occurs 2 times", error, StringComparison.Ordinal);
        Assert.Contains("By their names: eos_token </s>, pad_token <pad>\n", error, StringComparison.Ordinal);
        Assert.EndsWith($"Next: llmtune tokenize {_folder["tok"]} \"some text\"\n", error, StringComparison.Ordinal);

        var tokenizer = HfTokenizer.Load(_folder["tok"]);
        Assert.Equal((0, 1), (tokenizer.PadId, tokenizer.EosId));
        Assert.Equal([259, 258, 1], tokenizer.Encode("abcab</s>"));
        Assert.Equal("abc ö", tokenizer.Decode(tokenizer.Encode("abc ö")));
    }

    /// <summary>Lines keep their ends, blank ones too, and the last one has none that the file does not have.</summary>
    [Fact]
    public void Line_ends_are_learnt()
    {
        File.WriteAllText(_folder["a.txt"], "a\r\n\r\na\r\nb");
        Assert.Equal(0, Train(_folder["a.txt"], "--vocab-size", "300", "--pattern", "gpt2").Code);
        Assert.Equal(["č Ċ"], Merges());   // \r and \n; "\n" has never two in one text
    }

    [Fact]
    public void A_column_of_rows_from_a_folder_gives_what_the_plain_text_gives_with_any_number_of_threads()
    {
        var lines = Enumerable.Range(0, 200).Select(i => $"the cat number {i % 7} sat on mat {i % 3}").ToArray();
        Directory.CreateDirectory(_folder["rows"]);
        File.WriteAllLines(Path.Combine(_folder["rows"], "a.jsonl"), lines[..90].Select(line => JsonSerializer.Serialize(new { doc = new { body = line } })));
        using (var packed = new GZipStream(File.Create(Path.Combine(_folder["rows"], "b.jsonl.gz")), CompressionLevel.Fastest))
        using (var writer = new StreamWriter(packed))
            foreach (var line in lines[90..]) writer.WriteLine(JsonSerializer.Serialize(new { doc = new { body = line } }));
        File.WriteAllText(_folder["one.jsonl"], JsonSerializer.Serialize(new { text = "" }) + "\n" + string.Join('\n', lines.Select(line => JsonSerializer.Serialize(new { text = line }))));

        Assert.Equal(0, Train(_folder["rows"], "--vocab-size", "270", "--column", "doc.body", "--threads", "1").Code);
        var merges = Merges();
        Assert.Equal(13, merges.Length);   // 270 − 256 − <|endoftext|>
        Assert.Equal(0, Train(_folder["one.jsonl"], "--vocab-size", "270", "--threads", "3", "--force").Code);
        Assert.Equal(merges, Merges());
    }

    [Fact]
    public void What_cannot_be_is_refused_and_nothing_is_written()
    {
        File.WriteAllText(_folder["a.jsonl"], """{"body": "x"}""");
        Assert.Equal((2, "", $"error: {_folder["a.jsonl"]}:1: has no 'text'; found body; --column names the column with the text, now text\n"), Train(_folder["a.jsonl"], "--vocab-size", "300", "-q"));
        Assert.Equal((2, "", "error: a vocabulary of 256 has no room for 256 bytes and the special tokens; it must have at least 257 entries\n"), Train(_folder["a.jsonl"], "--vocab-size", "256"));
        Assert.Equal((2, "", $"error: {_folder["none"]} does not exist: expected a file, a folder, or a pattern with * or **\n"), Train(_folder["none"], "--vocab-size", "300"));
        Assert.Equal(2, Train(_folder["a.jsonl"], "--vocab-size", "300", "--pattern", "gpt3").Code);
        Assert.False(Directory.Exists(_folder["tok"]));
        Assert.Equal(0, Train(_folder["a.jsonl"], "--vocab-size", "300", "--column", "body").Code);
        Assert.Equal((2, "", $"error: {_folder["tok"]} holds a tokenizer already; name another --output, or say --force to replace it\n"), Train(_folder["a.jsonl"], "--vocab-size", "300", "--column", "body"));
    }

    public void Dispose() => _folder.Dispose();
}
