using System.Text.Json.Nodes;
using LlmTune.Cli;
using LlmTune.Cli.Terminal;

namespace LlmTune.Tests.Cli.Commands;

public sealed class TokenizeCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>Ids as the tokenizers library of Hugging Face gives them: stories260K is Llama 2's scheme with 512 entries.</summary>
    [Fact]
    public void Ids_and_pieces_of_a_text()
    {
        Assert.Equal((0, "403\t▁Once\tOnce\n407\t▁upon\t upon\n", "2 tokens of 9 characters, 4.50 characters a token\n"), AppTests.Run("tokenize", RealModels.Stories, "Once upon"));
        Assert.Equal("403 407\n", AppTests.Run("tokenize", RealModels.Stories, "Once upon", "--ids").Output);
        Assert.Equal("1 403 407\n", AppTests.Run("tokenize", Path.Combine(RealModels.Stories, "tokenizer.json"), "Once upon", "--ids", "--special").Output);
    }

    [Fact]
    public void As_json_with_places_in_the_text()
    {
        var json = JsonNode.Parse(AppTests.Run("tokenize", RealModels.Stories, "Once upon", "--json", "--special").Output)!;
        Assert.Equal(3, (int)json["count"]!);
        Assert.Equal("[1,403,407]", json["ids"]!.ToJsonString());
        Assert.Equal(["<s>", "▁Once", "▁upon"], json["tokens"]!.AsArray().Select(token => (string?)token));
        Assert.Equal("[[0,0],[0,4],[4,9]]", json["spans"]!.ToJsonString());
        Assert.Equal(["", "Once", " upon"], json["texts"]!.AsArray().Select(text => (string?)text));
    }

    [Fact]
    public void The_text_may_be_in_a_file()
    {
        File.WriteAllText(_folder["a.txt"], "Once upon");
        Assert.Equal("403 407\n", AppTests.Run("tokenize", RealModels.Stories, "--file", _folder["a.txt"], "--ids").Output);
        Assert.Equal((2, "", "error: a text and --file were given; keep one of them\n"), AppTests.Run("tokenize", RealModels.Stories, "x", "--file", _folder["a.txt"]));
        Assert.Equal((2, "", $"error: --file: there is no file {_folder["b.txt"]}\n"), AppTests.Run("tokenize", RealModels.Stories, "--file", _folder["b.txt"]));
    }

    [Fact]
    public void Ids_as_text()
    {
        Assert.Equal("Once upon\n", AppTests.Run("tokenize", RealModels.Stories, "--decode", "403 407").Output);
        Assert.Equal("""{"text":"Once upon","ids":[403,407],"tokens":["▁Once","▁upon"]}""" + "\n", AppTests.Run("tokenize", RealModels.Stories, "--decode", "[403, 407]", "--json").Output);
        Assert.Equal((2, "", "error: --decode: no token has the id 600, 512; the tokenizer has ids from 0 to 511\n"), AppTests.Run("tokenize", RealModels.Stories, "--decode", "600,403,512"));
        Assert.Equal((2, "", "error: --decode: 'x' is no token id; expected numbers, as in --decode \"9707 1879\"\n"), AppTests.Run("tokenize", RealModels.Stories, "--decode", "1 x"));
        Assert.Equal((2, "", "error: --decode takes ids, so there is no text to give beside it\n"), AppTests.Run("tokenize", RealModels.Stories, "text", "--decode", "1"));
    }

    /// <summary>What a text holds must not steer the terminal.</summary>
    [Fact]
    public void On_a_terminal_a_table_without_control_characters_of_the_text()
    {
        using var output = new StringWriter();
        Assert.Equal(0, App.Run(["tokenize", RealModels.Stories, "Once\nred\t[b]", "--quiet"], Screen.To(output, TextWriter.Null, terminalWidth: 80)));
        var shown = System.Text.RegularExpressions.Regex.Replace(output.ToString(), "\e\\[[0-9;]*m", "");
        Assert.Contains("▁Once", shown, StringComparison.Ordinal);
        Assert.Contains("⏎", shown, StringComparison.Ordinal);
        Assert.Contains("→", shown, StringComparison.Ordinal);
        Assert.DoesNotContain('\t', shown);
        Assert.Equal("a␛[31m⏎→", VisibleText.OnOneLine("a\e[31m\n\t"));
        Assert.Equal("a␛\n\t␡", VisibleText.Of("a\e\n\t\u007f"));
    }

    public void Dispose() => _folder.Dispose();
}
