using LlmTune.Data;
using LlmTune.Tests.Tokenization;
using LlmTune.Tokenization;
using Serilog.Core;

namespace LlmTune.Tests.Data;

/// <summary>What is trained on of rows that people met, with the models' own templates and vocabularies, from the file to the tokens.</summary>
public class TrainedTextTests
{
    /// <summary>The stretches of each row that are trained on, as text.</summary>
    private static List<string[]> Trained(string name, DataConfig? settings = null)
    {
        var folder = TurnsGoldenTests.External("LLMTUNE_DATA", Path.Combine("cases", name));
        using var model = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Path.Combine(folder, "model")))
        {
            // A link to a tokenizer may have come as a text that holds its target.
            var text = File.ReadAllText(file).Trim();
            File.Copy(text.StartsWith("..", StringComparison.Ordinal) ? Path.Combine(folder, "model", text) : file, model[Path.GetFileName(file)]);
        }
        var tokenizer = HfTokenizer.Load(model.Path);
        var template = ChatTemplate.Require(tokenizer, tokenizer.Folder);
        var config = (settings ?? new DataConfig { Sources = [new SourceConfig { Path = "" }] }) with { Sources = [new SourceConfig { Path = Path.Combine(folder, "rows.jsonl") }] };
        using var corpus = Corpus.Build(config, new CorpusSettings { Codec = Codec.Of(tokenizer, template) }, Logger.None, TestContext.Current.CancellationToken);
        return [.. Enumerable.Range(0, corpus.Count).Select(d => Runs(corpus[d], tokenizer).ToArray())];
    }

    private static IEnumerable<string> Runs(Document document, HfTokenizer tokenizer)
    {
        for (var start = 0; start < document.Length; start++)
        {
            if (!document.Trained[start]) continue;
            var end = start;
            while (end < document.Length && document.Trained[end]) end++;
            yield return tokenizer.Decode(document.Ids.AsSpan(start..end).ToArray());
            start = end;
        }
    }

    [Fact]
    public void Nothing_of_a_prompt_that_the_template_always_writes() =>
        Assert.Equal(["Brest<|eot_id|>"], Assert.Single(Trained("08-template-always-prompts")));

    /// <summary>The template ends a call with the mark at which the model stops for the tool's answer.</summary>
    [Fact]
    public void Nothing_of_a_tools_answer() => Assert.Equal(
        ["<|tool_call>call:tide{port:<|\"|>Brest<|\"|>}<tool_call|><|tool_response>", "It is 6.4 m.<turn|>\n"],
        Assert.Single(Trained("12-gemma4-trains-tool-result")));

    [Fact]
    public void A_tools_answer_where_it_is_asked_for() => Assert.Equal(
        ["response:tide{value:<|\"|>6.4 m<|\"|>}<tool_response|>"],
        Assert.Single(Trained("12-gemma4-trains-tool-result", new DataConfig { Sources = [new SourceConfig { Path = "" }], RolesToTrain = ["tool"] })));

    [Fact]
    public void Nothing_of_turns_that_say_no()
    {
        var rows = Trained("13-loss-keys-ignored");
        Assert.Equal(3, rows.Count);
        Assert.All(rows, row => Assert.Equal(["RIGHT<|im_end|>\n"], row));
    }

    [Fact]
    public void Nothing_of_a_users_turn_that_has_a_weight() =>
        Assert.Equal(["b<|im_end|>\n"], Assert.Single(Trained("15-weight-on-user-turn")));

    [Fact]
    public void Calls_and_answers_of_a_template_that_joins_turns_first()
    {
        var rows = Trained("10-mistral-tools-cannot-be-told");
        Assert.Equal(2, rows.Count);
        Assert.All(rows, row =>
        {
            Assert.Equal(2, row.Length);
            Assert.StartsWith("[TOOL_CALLS]", row[0], StringComparison.Ordinal);
            Assert.EndsWith("]</s>", row[0], StringComparison.Ordinal);
            Assert.Equal("It is 6.4 m.</s>", row[1]);
        });
    }
}
