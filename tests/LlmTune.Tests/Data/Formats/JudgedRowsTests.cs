using System.Text.Json;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data.Formats;

public class JudgedRowsTests
{
    private static (string Format, Example.Judged Example) Read(string json, RowSettings? settings = null, string? format = null)
    {
        var row = JsonElement.Parse(json);
        var found = format is null ? Detection.Find([row], settings ?? RowSettings.Default, "rows.jsonl") : RowFormat.Named(format);
        return (found.Name, (Example.Judged)found.Read(new Fields(row, found, settings ?? RowSettings.Default)));
    }

    private static string Problem(string json, string? format = null) => Assert.Throws<RowException>(() => Read(json, format: format)).Message;

    /// <summary>Prompt | answer | answer …, turns as role:text.</summary>
    private static string Show(Example.Judged judged)
    {
        static string Turns(IEnumerable<Message> turns) => string.Join(' ', turns.Select(turn => $"{turn.Role}:{turn.Content}"));
        var shown = judged is Example.JudgedTexts texts
            ? string.Join('|', [texts.Prompt, .. texts.Answers])
            : string.Join('|', [Turns(((Example.JudgedChats)judged).Prompt), .. ((Example.JudgedChats)judged).Answers.Select(Turns)]);
        return judged.Desirable is { } desirable ? $"{shown}={(desirable ? "good" : "bad")}" : shown;
    }

    private const string U = """{"role": "user", "content": "u"}""";
    private const string A = """{"role": "assistant", "content": "a"}""";
    private const string B = """{"role": "assistant", "content": "b"}""";

    [Theory]
    [InlineData("""{"prompt": "p", "chosen": " a", "rejected": " b"}""", "p| a| b")]
    [InlineData("""{"chosen": "The sky is blue", "rejected": "The sky is green"}""", "The sky is| blue| green")]
    [InlineData($$"""{"prompt": [{{U}}], "chosen": [{{A}}], "rejected": [{{B}}]}""", "user:u|assistant:a|assistant:b")]
    [InlineData($$"""{"chosen": [{{U}}, {{A}}], "rejected": [{{U}}, {{B}}]}""", "user:u|assistant:a|assistant:b")]
    [InlineData($$"""{"prompt": "u", "chosen": [{{U}}, {{A}}], "rejected": [{{U}}, {{B}}], "messages": [{{U}}, {{A}}], "score_chosen": 8.5}""", "user:u|assistant:a|assistant:b")]
    [InlineData($$"""{"prompt": [{{U}}], "chosen": [{{U}}, {{A}}], "rejected": [{{U}}, {{B}}]}""", "user:u|assistant:a|assistant:b")]
    [InlineData($$"""{"prompt": "q", "chosen": [{{A}}], "rejected": [{{B}}]}""", "user:q|assistant:a|assistant:b")]
    [InlineData($$"""{"prompt": [{{U}}], "chosen": "a", "rejected": "b"}""", "user:u|assistant:a|assistant:b")]
    [InlineData("""{"conversations": [{"from": "human", "value": "u"}], "chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}}""", "user:u|assistant:a|assistant:b")]
    [InlineData("""{"conversations": [{"from": "human", "value": "u"}], "system": "s", "chosen": "a", "rejected": "b"}""", "system:s user:u|assistant:a|assistant:b")]
    [InlineData("""{"instruction": "i", "input": "x", "history": [["h", "r"]], "chosen": "a", "rejected": "b"}""", "user:h assistant:r user:i\nx|assistant:a|assistant:b")]
    [InlineData("""{"system": "s", "question": "q", "chosen": "a", "rejected": "b"}""", "system:s user:q|assistant:a|assistant:b")]
    [InlineData("""{"question": "q", "response_j": "a", "response_k": "b"}""", "user:q|assistant:a|assistant:b")]
    [InlineData("""{"system": "s", "prompt": "p", "chosen": "a", "rejected": "b"}""", "system:s user:p|assistant:a|assistant:b")]
    [InlineData($$"""{"prompt": [{{U}}], "chosen": [{{A}}], "rejected": [{{B}}, {{U}}, {{A}}]}""", "user:u|assistant:a|assistant:b user:u assistant:a")]
    public void Preferences_are_found_in_all_their_forms(string json, string shown)
    {
        var (format, example) = Read(json);
        Assert.Equal(("preference", shown), (format, Show(example)));
    }

    [Theory]
    [InlineData("""{"prompt": "p", "completion": " a", "label": true}""", "p| a=good")]
    [InlineData("""{"prompt": "p", "completion": " a", "label": 0}""", "p| a=bad")]
    [InlineData("""{"prompt": "p", "completion": " a", "label": "True"}""", "p| a=good")]
    [InlineData("""{"prompt": "p", "completion": " a", "label": "0"}""", "p| a=bad")]
    [InlineData($$"""{"prompt": [{{U}}], "completion": [{{A}}], "label": false}""", "user:u|assistant:a=bad")]
    [InlineData($$"""{"messages": [{{U}}, {{B}}, {{U}}, {{A}}], "label": true}""", "user:u assistant:b user:u|assistant:a=good")]
    [InlineData($$"""{"messages": [{{B}}, {{U}}, {{A}}], "label": true}""", "assistant:b user:u|assistant:a=good")]
    [InlineData($$"""{"completion": [{{U}}, {{A}}], "label": true}""", "user:u|assistant:a=good")]
    [InlineData("""{"instruction": "i", "input": "", "output": "a", "kto_tag": false}""", "user:i|assistant:a=bad")]
    [InlineData("""{"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}], "kto_tag": true}""", "user:u|assistant:a=good")]
    public void Labels_are_found_in_all_their_forms(string json, string shown)
    {
        var (format, example) = Read(json);
        Assert.Equal(("kto", shown), (format, Show(example)));
    }

    [Theory]
    [InlineData("""{"prompt": "p", "completions": ["a", "b", "c"]}""", "p|a|b|c")]
    [InlineData("""{"instruction": "i", "responses": ["a", "b"], "ranks": [2, 1]}""", "user:i|assistant:b|assistant:a")]
    [InlineData("""{"prompt": "p", "responses": ["a", "b", "c"], "scores": [0.1, 0.9, 0.5]}""", "p|b|c|a")]
    [InlineData("""{"prompt": "p", "answers": [{"answer": "a", "rank": 3, "model": "m"}, {"answer": "b", "rank": 1}, {"answer": "c", "rank": 2}]}""", "p|b|c|a")]
    [InlineData("""{"prompt": "p", "completions": [{"response": "a", "score": 1}, {"response": "b", "score": 2}]}""", "p|b|a")]
    [InlineData($$"""{"prompt": [{{U}}], "completions": [[{{B}}], [{{A}}]]}""", "user:u|assistant:b|assistant:a")]
    public void Rankings_are_the_best_first(string json, string shown)
    {
        var (format, example) = Read(json);
        Assert.Equal(("ranking", shown), (format, Show(example)));
    }

    [Theory]
    [InlineData("""{"prompt": "p", "completion": "c", "label": "spam"}""", "prompt_completion")]
    [InlineData("""{"prompt": "p", "completion": "c", "label": 3}""", "prompt_completion")]
    [InlineData("""{"text": "t", "label": 1}""", "text")]
    [InlineData("""{"question": "q", "answer": "a", "answers": ["a", "b"]}""", "question_answer")]
    public void What_is_no_judgement_stays_an_example(string json, string format) =>
        Assert.Equal(format, Detection.Find([JsonElement.Parse(json)], RowSettings.Default, "rows.jsonl").Name);

    [Fact]
    public void Columns_and_templates_say_which_part_is_which()
    {
        RowSettings Mapped(params (string Part, string Column)[] columns) => RowSettings.Default with { Columns = columns.ToDictionary(c => c.Part, c => c.Column) };
        const string Row = """{"schema": "s", "q": "how?", "good": "a", "bad": "b", "ok": 1}""";
        Assert.Equal("how?|a|b", Show(Read(Row, Mapped(("prompt", "q"), ("chosen", "good"), ("rejected", "bad"))).Example));
        Assert.Equal("user:how?|assistant:a|assistant:b", Show(Read(Row, Mapped(("question", "q"), ("chosen", "good"), ("rejected", "bad"))).Example));
        Assert.Equal("how?|a=good", Show(Read(Row, Mapped(("prompt", "q"), ("completion", "good"), ("label", "ok"))).Example));
        var templated = Mapped(("chosen", "good"), ("rejected", "bad")) with { Template = PromptTemplate.Parse("{schema}: {q} ") };
        Assert.Equal("s: how? |a|b", Show(Read(Row, templated).Example));
        Assert.Equal(new Example.PromptCompletion("how?", "a"), RowFormat.Named("prompt_completion").Read(
            new Fields(JsonElement.Parse(Row), RowFormat.Named("prompt_completion"), Mapped(("prompt", "q"), ("completion", "good")))));
    }

    [Theory]
    [InlineData("""{"prompt": "p", "chosen": "a"}""", "preference", "has no 'rejected'; found prompt, chosen")]
    [InlineData("""{"prompt": "p", "chosen": "a", "rejected": null}""", "preference", "'rejected' is null")]
    [InlineData("""{"prompt": "p", "chosen": "a", "rejected": 3}""", "preference", "'rejected' is the number 3, expected a text, a turn or a list of turns")]
    [InlineData("""{"chosen": "", "rejected": "b"}""", "preference", "'chosen' is empty, and there is no prompt beside it")]
    [InlineData($$"""{"chosen": [{{A}}], "rejected": [{{B}}]}""", "preference", "has no prompt: none of 'prompt', 'instruction', 'question', 'conversations', and no turns before the answer")]
    [InlineData($$"""{"chosen": [{"role": "user", "content": "x"}, {{A}}], "rejected": [{{U}}, {{B}}]}""", "preference", "'chosen' shares no turn with the others, so that there is no prompt")]
    [InlineData($$"""{"chosen": [{{U}}, {{A}}], "rejected": [{{U}}, {{U}}]}""", "preference", "'rejected': the user's turn is judged, expected the assistant's")]
    [InlineData($$"""{"prompt": [{{U}}], "chosen": [{"role": "assistant", "content": "a", "weight": 0}], "rejected": "b"}""", "preference", "'chosen': a turn says not to train on it, and a judged answer counts as a whole")]
    [InlineData($$"""{"prompt": [{{U}}], "chosen": [], "rejected": [{{B}}]}""", "preference", "'chosen' is an empty list, expected a text, a turn or a list of turns")]
    [InlineData($$"""{"prompt": [{{U}}], "chosen": [{"role": "robot", "content": "x"}], "rejected": [{{B}}]}""", "preference", "'chosen', turn 1: the role 'robot' is not known; expected system, developer, user, assistant, tool, function, ipython (human, gpt, ai, bot, observation, function_call and their like, in any case), or one of roles_to_train; say what it means with roles: { robot: user } beside the path")]
    [InlineData("""{"prompt": "p", "completion": "a", "label": "maybe"}""", "kto", "'label' is a text, expected true or false (or 1 or 0)")]
    [InlineData("""{"prompt": "p", "completion": "a"}""", "kto", "has no 'label'; found prompt, completion")]
    [InlineData("""{"completion": "a", "label": true}""", "kto", "has no prompt: none of 'prompt', 'instruction', 'question', 'conversations', and no turns before the answer")]
    [InlineData($$"""{"messages": [{{U}}, {{A}}, {{U}}], "label": true}""", "kto", "'messages': the user's turn is judged, expected the assistant's")]
    [InlineData($$"""{"messages": [{{A}}], "label": true}""", "kto", "'messages' is one turn, so that there is no prompt")]
    [InlineData("""{"prompt": "p", "completions": ["a"]}""", "ranking", "'completions' has one answer, expected two or more to compare")]
    [InlineData("""{"prompt": "p", "completions": ["a", "b"], "ranks": [1]}""", "ranking", "'ranks' has 1 entries, 'completions' has 2")]
    [InlineData("""{"prompt": "p", "completions": ["a", "b"], "scores": [1, "x"]}""", "ranking", "'scores' holds a text, expected numbers")]
    [InlineData("""{"prompt": "p", "completions": ["a", "b"], "ranks": [1, 1]}""", "ranking", "'completions', answer 1 and 'completions', answer 2 have the same rank, expected one to be better")]
    [InlineData("""{"prompt": "p", "completions": [{"text": "a", "rank": 1}, {"text": "b"}]}""", "ranking", "'completions', answer 2 has neither rank nor score, and others have")]
    public void A_row_that_does_not_fit_is_told_why(string json, string format, string message) => Assert.Equal(message, Problem(json, format));

    [Fact]
    public void The_content_tells_sides_and_labels_apart_and_not_columns()
    {
        ulong Hash(string json) => Read(json).Example.ContentHash();
        var pair = Hash("""{"prompt": "p", "chosen": "a", "rejected": "b"}""");
        Assert.Equal(pair, Hash("""{"rejected": "b", "chosen": "a", "prompt": "p", "id": 7}"""));
        string[] others =
        [
            """{"prompt": "p", "chosen": "b", "rejected": "a"}""", """{"prompt": "pa", "chosen": "", "rejected": "b"}""",
            """{"prompt": "p", "completion": "a", "label": true}""", """{"prompt": "p", "completion": "a", "label": false}""",
            $$"""{"prompt": [{{U}}], "chosen": [{{A}}], "rejected": [{{B}}]}""", $$"""{"prompt": [{{U}}], "chosen": [{{B}}], "rejected": [{{A}}]}""",
            $$"""{"prompt": [{{U}}, {{A}}, {{U}}], "chosen": [{{A}}], "rejected": [{{B}}]}""",
        ];
        Assert.Equal(1 + others.Length, others.Select(Hash).Append(pair).Distinct().Count());
    }
}
