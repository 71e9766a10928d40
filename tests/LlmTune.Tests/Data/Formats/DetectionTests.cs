using System.Text.Json;
using LlmTune.Data.Formats;

namespace LlmTune.Tests.Data.Formats;

/// <summary>Rows in which something is missing, and rows of no format.</summary>
public class DetectionTests
{
    private const string Chat = """[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]""";

    private static List<JsonElement> Rows(string rows) => [.. JsonElement.Parse($"[{rows}]").EnumerateArray()];

    private static string Refusal(string rows) =>
        Assert.Throws<RequestException>(() => Detection.Find(Rows(rows), RowSettings.Default, "rows.jsonl")).Message;

    [Theory]
    [InlineData("""{"instruction": "a", "input": "", "output": null}, {"instruction": "b", "input": "", "output": "c"}""", "alpaca")]
    [InlineData("""{"instruction": "a", "input": "", "output": null}, {"instruction": "b", "input": "", "output": null}""", "alpaca")]
    [InlineData("""{"question": null, "answer": null}, {"question": null, "answer": "b"}, {"question": "a", "answer": "b"}""", "question_answer")]
    [InlineData("""{"prompt": "a", "completion": null}, {"prompt": null, "completion": "b"}, {"prompt": "a", "completion": "b"}""", "prompt_completion")]
    [InlineData("""{"text": null}, {"text": null}, {"text": "a"}""", "text")]
    [InlineData("""{"messages": null}, {"messages": []}, {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}""", "messages")]
    [InlineData("""{"conversations": []}, {"conversations": null}, {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}""", "sharegpt")]
    [InlineData("""{"instruction": "a", "input": ""}, {"instruction": "b", "input": "", "output": "c"}""", "alpaca")]
    [InlineData("""{"chosen": "a", "rejected": null, "prompt": "p"}, {"chosen": null, "rejected": "b", "prompt": "p"}""", "preference")]
    public void A_null_in_the_first_rows_does_not_hide_the_format(string rows, string format) =>
        Assert.Equal(format, Detection.Find(Rows(rows), RowSettings.Default, "rows.jsonl").Name);

    /// <summary>Files of binary formats have every column in every row: those of another format are null.</summary>
    [Fact]
    public void Columns_that_are_null_everywhere_do_not_count() => Assert.Equal(
        "messages", Detection.Find(Rows($$"""{"messages": {{Chat}}, "instruction": null, "output": null}, {"messages": {{Chat}}, "instruction": null, "output": null}"""), RowSettings.Default, "x").Name);

    [Fact]
    public void A_null_under_one_name_does_not_hide_what_stands_under_another() => Assert.Equal(
        "messages", Detection.Find(Rows($$"""{"messages": null, "conversations": {{Chat}}}"""), RowSettings.Default, "x").Name);

    [Theory]
    [InlineData("""{"id": "1", "dialogue": "A: hi B: ho", "summary": "greeting"}""", "dialogue", "summary")]
    [InlineData("""{"article": "a long text", "highlights": "short", "id": "7"}""", "article", "highlights")]
    [InlineData("""{"uuid": "x", "userPrompt": "what is it", "modelAnswer": "that"}""", "userPrompt", "modelAnswer")]
    [InlineData("""{"user_prompt": "what is it", "gold_summary": "that", "url": "u"}""", "user_prompt", "gold_summary")]
    [InlineData("""{"sample_id": "0", "request": "2+2", "target": "4", "level": "1"}""", "request", "target")]
    [InlineData("""{"document": "d d d d", "headline": "d", "n": 3}""", "document", "headline")]
    [InlineData("""{"schema": "t(a)", "question": "how many?", "sql": "SELECT 1"}""", "question", "sql")]
    [InlineData("""{"body": "a long letter", "tag": "x"}""", "body", "tag")]
    [InlineData("""{"src": "eins", "tgt": "one"}""", "src", "tgt")]
    [InlineData("""{"review": "a good film", "sentiment": "+"}""", "review", "sentiment")]
    public void Likely_columns_are_proposed(string row, string prompt, string answer) =>
        Assert.Contains($"\n    columns: {{ prompt: {prompt}, completion: {answer} }}\n", Refusal(row), StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"contents": [{"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}]}""")]
    [InlineData("""{"id": "1", "summary": "x"}""")]
    [InlineData("""{"de": "eins", "en": "one"}""")]
    [InlineData("""{"a": 1, "b": 2}""")]
    [InlineData("""{"answer": "a rather long answer", "tag": "x"}""")]
    [InlineData("""{"input_tokens": 3, "output_tokens": 4, "id": "1"}""")]
    public void Where_nothing_fits_nothing_is_proposed(string row)
    {
        var message = Refusal(row);
        Assert.DoesNotContain("columns: {", message, StringComparison.Ordinal);
        Assert.DoesNotContain("prompt_template", message, StringComparison.Ordinal);
    }

    /// <summary>Whatever the columns are called: what is proposed is among them and is a text, and never the same twice.</summary>
    [Fact]
    public void A_proposal_names_columns_that_are_there()
    {
        string[] names = ["id", "dialogue", "summary", "query", "response", "title", "Question Text", "answerKey", "input", "text_en", "label", "url", "x"];
        var random = new Random(7);
        for (var i = 0; i < 200; i++)
        {
            var row = names.OrderBy(_ => random.Next()).Take(random.Next(1, 6)).ToDictionary(name => name, name => random.Next(5) == 0 ? (object)3 : new string('w', random.Next(1, 40)));
            var guess = ColumnGuess.Of([JsonSerializer.SerializeToElement(row)]);
            string[] proposed = [.. new[] { guess.Prompt, guess.Answer, guess.Context }.OfType<string>()];
            Assert.Equal(proposed.Distinct(), proposed);
            Assert.All(proposed, name => Assert.IsType<string>(row[name]));
            Assert.DoesNotContain("id", proposed);
        }
    }
}
