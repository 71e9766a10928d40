using LlmTune.Data;
using Serilog.Core;

namespace LlmTune.Tests.Data;

/// <summary>Pairs of a question and an answer, for models with and without a chat template.</summary>
public sealed class TemplateUseTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private Corpus Build(string name, string text, bool template, SourceConfig? settings = null)
    {
        File.WriteAllText(_folder[name], text);
        var config = new DataConfig { Sources = [(settings ?? new SourceConfig()) with { Path = _folder[name] }], Cache = false };
        var codec = template ? Codecs.Characters : Codecs.Characters with { Render = null, Prompt = null };
        return Corpus.Build(config, new CorpusSettings { Codec = codec }, Logger.None, TestContext.Current.CancellationToken);
    }

    private string Refusal(string name, string text, bool template, SourceConfig? settings = null) =>
        Assert.Throws<RequestException>(() => Build(name, text, template, settings)).Message;

    [Theory]
    [InlineData("rows.csv", "Question,Answer\nwhere?,here\n")]
    [InlineData("rows.csv", "QUESTION, ANSWER\nwhere?,here\n")]
    [InlineData("rows.tsv", "question\tanswer\nwhere?\there\n")]
    [InlineData("rows.csv", "Answer;Question;id\nhere;where?;1\n")]
    [InlineData("rows.json", """[{"query": "where?", "response": "here"}]""")]
    [InlineData("rows.jsonl", """{"Input": "where?", "Output": "here"}""")]
    [InlineData("rows.jsonl", """{"prompt": "where?", "response": "here"}""")]
    [InlineData("rows.jsonl", """{"Prompt": "where?", "Response": "here"}""")]
    [InlineData("rows.jsonl", """{"user": "where?", "assistant": "here"}""")]
    [InlineData("rows.csv", "Human,Assistant\nwhere?,here\n")]
    [InlineData("rows.csv", "Q,A\nwhere?,here\n")]
    [InlineData("rows.jsonl", """{"question": "where?", "completion": "here"}""")]
    [InlineData("rows.jsonl", """{"problem": "where?", "solution": "here", "level": 3}""")]
    public void A_question_and_its_answer_go_through_the_template(string name, string text)
    {
        using var corpus = Build(name, text, template: true);
        Assert.Equal("question_answer", corpus.Report.Sources[0].Format);
        Assert.Equal("‹user\nwhere?›\n‹assistant\nhere›\n", Codecs.Show(corpus[0].Ids));
        Assert.Empty(corpus.PlainPairs);
    }

    /// <summary>The names of the columns as they are, quoted where YAML asks for it.</summary>
    [Theory]
    [InlineData("Question,Answer\nwhere?,here\n", "Question", "Answer")]
    [InlineData("Input,Output\nwhere?,here\n", "Input", "Output")]
    [InlineData("query,response\nwhere?,here\n", "query", "response")]
    [InlineData("question, answer\nwhere?,here\n", "question", "\" answer\"")]
    public void Without_a_template_the_columns_for_plain_text_are_said_and_work(string text, string question, string answer)
    {
        var message = Refusal("rows.csv", text, template: false);
        Assert.StartsWith($"rows.csv: its rows are questions ({question.Trim('"')}) and answers ({answer.Trim('"')}), which a chat template makes", message, StringComparison.Ordinal);
        Assert.Contains("set model.chat_template", message, StringComparison.Ordinal);
        Assert.Contains($"\n    columns: {{ prompt: {question}, completion: {answer} }}\n", message, StringComparison.Ordinal);
        Assert.EndsWith($"\n    prompt_template: \"{{{question}}}\\n\"\n    columns: {{ completion: {answer} }}", message, StringComparison.Ordinal);

        KeyValuePair<string, string>[] columns = [new("prompt", question.Trim('"')), new("completion", answer.Trim('"'))];
        using var plain = Build("rows.csv", text, template: false, new SourceConfig { Columns = new(columns) });
        Assert.Equal("where?here‹/s›", Codecs.Show(plain[0].Ids));
        using var apart = Build("rows.csv", text, template: false, new SourceConfig { Columns = new(columns[1..]), PromptTemplate = $"{{{question}}}\n" });
        Assert.Equal("where?\nhere‹/s›", Codecs.Show(apart[0].Ids));
        Assert.Empty(plain.PlainPairs);
    }

    [Fact]
    public void A_prompt_and_its_response_stay_plain_text_where_there_is_no_template()
    {
        using var corpus = Build("rows.jsonl", """{"prompt": "where?", "response": "here"}""", template: false);
        Assert.Equal("where?here‹/s›", Codecs.Show(corpus[0].Ids));
    }

    /// <summary>What is proposed in their place works, and has nothing more to complain about.</summary>
    [Theory]
    [InlineData("""{"prompt": "where?", "completion": "here"}""", null, null, null, "columns: { question: prompt, answer: completion }")]
    [InlineData("""{"Prompt": "where?", "Completion": "here"}""", null, null, null, "columns: { question: Prompt, answer: Completion }")]
    [InlineData("""{"prompt": "where?", "response": "here"}""", "prompt_completion", null, null, "format: question_answer, columns: { question: prompt, answer: response }")]
    [InlineData("""{"Question": "where?", "Answer": "here"}""", null, "Question", "Answer", "columns: { question: Question, answer: Answer }")]
    [InlineData("""{"ask": "where?", "The reply": "here"}""", null, "ask", "The reply", "columns: { question: ask, answer: The reply }")]
    public void Plain_pairs_for_a_model_with_a_template_are_found_with_the_columns_to_use(string row, string? format, string? prompt, string? completion, string instead)
    {
        var settings = new SourceConfig { Format = format, Columns = prompt is null ? null : new([new("prompt", prompt), new("completion", completion!)]) };
        using (var plain = Build("rows.jsonl", row, template: true, settings))
        {
            Assert.Equal("where?here‹/s›", Codecs.Show(plain[0].Ids));
            Assert.Equal([new PlainPairs(0, instead)], plain.PlainPairs);
        }
        var names = instead[(instead.IndexOf("question: ", StringComparison.Ordinal) + 10)..].TrimEnd(' ', '}').Split(", answer: ");
        using var chat = Build("rows.jsonl", row, template: true, new SourceConfig { Columns = new([new("question", names[0]), new("answer", names[1])]) });
        Assert.Equal("‹user\nwhere?›\n‹assistant\nhere›\n", Codecs.Show(chat[0].Ids));
        Assert.Empty(chat.PlainPairs);
    }

    [Fact]
    public void A_templated_prompt_keeps_its_template()
    {
        const string Row = """{"schema": "t(a)", "ask": "how many?", "sql": "SELECT 1"}""";
        using var plain = Build("rows.jsonl", Row, template: true, new SourceConfig { Columns = new([new("completion", "sql")]), PromptTemplate = "{schema} {ask}" });
        Assert.Equal([new PlainPairs(0, "columns: { answer: sql }")], plain.PlainPairs);
        using var chat = Build("rows.jsonl", Row, template: true, new SourceConfig { Columns = new([new("answer", "sql")]), PromptTemplate = "{schema} {ask}" });
        Assert.Equal("‹user\nt(a) how many?›\n‹assistant\nSELECT 1›\n", Codecs.Show(chat[0].Ids));
    }

    [Fact]
    public void Turns_and_texts_are_no_plain_pairs()
    {
        using var turns = Build("rows.jsonl", """{"prompt": [{"role": "user", "content": "u"}], "completion": [{"role": "assistant", "content": "a"}]}""", template: true);
        using var text = Build("rows.jsonl", """{"text": "once upon a time"}""", template: true);
        Assert.Empty(turns.PlainPairs);
        Assert.Empty(text.PlainPairs);
    }

    [Fact]
    public void What_no_format_fits_is_proposed_as_a_conversation_where_there_is_a_template()
    {
        const string Row = """{"utterance": "where?", "summary": "here"}""";
        Assert.Contains("\n    columns: { question: utterance, answer: summary }\n", Refusal("rows.jsonl", Row, template: true), StringComparison.Ordinal);
        Assert.Contains("\n    columns: { prompt: utterance, completion: summary }\n", Refusal("rows.jsonl", Row, template: false), StringComparison.Ordinal);
        // The best of judged answers too.
        const string Pair = """{"prompt": "where?", "chosen": "here", "rejected": "there"}""";
        Assert.Contains("columns: { question: prompt, answer: chosen }", Refusal("rows.jsonl", Pair, template: true), StringComparison.Ordinal);
        Assert.Contains("columns: { prompt: prompt, completion: chosen }", Refusal("rows.jsonl", Pair, template: false), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_spellings_of_known_columns_are_known()
    {
        using var corpus = Build("rows.jsonl", """{"Instruction": "where", "INPUT": "is it", "Output": "here", "System Prompt": "Be kind.", "Id": 7}""", template: true);
        Assert.Equal("‹system\nBe kind.›\n‹user\nwhere\nis it›\n‹assistant\nhere›\n", Codecs.Show(corpus[0].Ids));
        // A name as formats write it comes first.
        using var both = Build("more.jsonl", """{"Text": "no", "text": "yes"}""", template: true);
        Assert.Equal("yes‹/s›", Codecs.Show(both[0].Ids));
    }
}
