using System.Text.Json;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data.Formats;

public class FormatTests
{
    private static RowSettings Mapped(params (string Part, string Column)[] columns) =>
        new() { Columns = columns.ToDictionary(c => c.Part, c => c.Column) };

    private static (RowFormat Format, Example Example) Read(string json, RowSettings? settings = null, string? format = null)
    {
        var row = JsonElement.Parse(json);
        var found = format is null ? Detection.Find([row], settings ?? RowSettings.Default, "rows.jsonl") : RowFormat.Named(format);
        return (found, found.Read(new Fields(row, found, settings ?? RowSettings.Default)));
    }

    private static string Problem(string json, RowSettings? settings = null, string? format = null) =>
        Assert.Throws<RowException>(() => Read(json, settings, format)).Message;

    private static string Turns(Example example) => string.Join(" | ", Assert.IsType<Example.Chat>(example).Conversation.Messages.Select(m =>
        $"{m.Role}{(m.Train is { } train ? train ? "+" : "-" : "")}: {m.Content ?? "∅"}{(m.Fields is null ? "" : " " + m.Fields.ToJsonString())}"));

    [Theory]
    [InlineData("""{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}""", "messages", "system: s | user: u | assistant: a")]
    [InlineData("""{"conversations": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}], "system": "s"}""", "messages", "system: s | user: u | assistant: a")]
    [InlineData("""{"messages": [{"role": "user", "content": "u", "weight": 0}, {"role": "assistant", "content": "a", "weight": 1}, {"role": "assistant", "content": "b", "train": false}]}""", "messages", "user-: u | assistant+: a | assistant-: b")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]}, {"role": "assistant", "content": [{"type": "text", "value": "a"}], "loss_weight": 1.0}]}""", "messages", "user: one two | assistant+: a")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": null, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]}, {"role": "tool", "content": "3", "name": "f"}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: ∅ {"tool_calls":[{"type":"function","function":{"name":"f","arguments":"{\u0022x\u0022: 1}"}}]} | tool: 3 {"name":"f"} | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": null, "tool_calls": "[{\"name\": \"f\", \"arguments\": {\"x\": 1}}]"}, {"role": "tool", "content": "3"}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: ∅ {"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}}}]} | tool: 3 | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "tool_calls": {"id": "c1", "name": "f", "arguments": {"x": 1}}}, {"role": "tool", "content": "3"}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: ∅ {"tool_calls":[{"type":"function","id":"c1","function":{"name":"f","arguments":{"x":1}}}]} | tool: 3 | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "t", "tool_calls": "null"}, {"role": "tool", "content": "3"}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: t | tool: 3 | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "t", "tool_calls": " "}, {"role": "tool", "content": "3"}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: t | tool: 3 | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": {"x": 1}}}, {"role": "function", "name": "f", "content": "3"}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: ∅ {"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}}}]} | tool: 3 {"name":"f"} | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "t"}, {"role": "tool", "content": {"x": [1, null]}}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: t | tool: ∅ {"content":{"x":[1,null]}} | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "t"}, {"role": "tool", "content": [{"type": "Feature", "x": 1}]}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: t | tool: ∅ {"content":[{"type":"Feature","x":1}]} | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "t"}, {"role": "tool", "content": []}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: t | tool: ∅ {"content":[]} | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "t"}, {"role": "tool", "content": 6.4}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: t | tool: ∅ {"content":6.4} | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "t"}, {"role": "tool", "content": [{"type": "text", "text": "3"}]}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: t | tool: 3 | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": null, "reasoning": "r"}, {"role": "tool", "content": "3"}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: ∅ {"reasoning":"r"} | tool: 3 | assistant: a""")]
    [InlineData("""{"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]}""", "sharegpt", "system: s | user: u | assistant: a")]
    [InlineData("""{"conversations": [{"from": "human", "value": "u"}, {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"}, {"from": "observation", "value": "3"}, {"from": "gpt", "value": "a"}]}""", "sharegpt",
        """user: u | assistant: ∅ {"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}}}]} | tool: 3 | assistant: a""")]
    [InlineData("""{"instruction": "i", "input": "", "output": "o"}""", "alpaca", "user: i | assistant: o")]
    [InlineData("""{"instruction": "i", "input": "n", "output": "o", "system": "s", "history": [["q", "r"]]}""", "alpaca", "system: s | user: q | assistant: r | user: i\nn | assistant: o")]
    [InlineData("""{"instruction": "i", "context": "n", "response": "o", "category": "x"}""", "alpaca", "user: i\nn | assistant: o")]
    [InlineData("""{"question": "q", "answer": "a"}""", "question_answer", "user: q | assistant: a")]
    [InlineData("""{"system": "s", "query": "q", "response": "r", "history": [["q0", "r0"], ["q1", "r1"]]}""", "question_answer", "system: s | user: q0 | assistant: r0 | user: q1 | assistant: r1 | user: q | assistant: r")]
    [InlineData("""{"query": "q", "response": "r"}""", "question_answer", "user: q | assistant: r")]
    [InlineData("""{"system": "s", "conversation": [{"human": "u", "assistant": "a"}, {"human": "v", "assistant": "b"}]}""", "sharegpt", "system: s | user: u | assistant: a | user: v | assistant: b")]
    [InlineData("""{"messages": [{"role": "User:", "content": "u"}, {"role": " ASSISTANT", "content": "a"}]}""", "messages", "user: u | assistant: a")]
    [InlineData("""{"messages": [{"role": "human", "content": "u"}, {"role": "ai", "content": "a"}, {"role": "Human", "content": "v"}, {"role": "bot", "content": "b"}]}""", "messages", "user: u | assistant: a | user: v | assistant: b")]
    [InlineData("""{"messages": [{"role": "prompter", "content": "u"}, {"role": "model", "content": "a"}, {"role": "user", "content": "v"}, {"role": "gpt", "content": "b"}]}""", "messages", "user: u | assistant: a | user: v | assistant: b")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "tool_call", "content": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"}, {"role": "tool_response", "content": "3"}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: ∅ {"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}}}]} | tool: 3 | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "function_call", "content": "[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\", \"arguments\": {}}]"}, {"role": "Observation", "content": "3"}, {"role": "chatgpt", "content": "a"}]}""", "messages",
        """user: u | assistant: ∅ {"tool_calls":[{"type":"function","function":{"name":"f","arguments":{}}},{"type":"function","function":{"name":"g","arguments":{}}}]} | tool: 3 | assistant: a""")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "I look."}, {"role": "tool_call", "content": "{\"name\": \"f\", \"arguments\": {}}"}, {"role": "tool_call", "content": "{\"name\": \"g\", \"arguments\": {}}"}, {"role": "tool_response", "content": "3"}, {"role": "tool_response", "content": "4"}, {"role": "assistant", "content": "a"}]}""", "messages",
        """user: u | assistant: I look. {"tool_calls":[{"type":"function","function":{"name":"f","arguments":{}}},{"type":"function","function":{"name":"g","arguments":{}}}]} | tool: 3 | tool: 4 | assistant: a""")]
    [InlineData("""{"conversations": [{"from": "Human", "value": "u"}, {"from": "AI", "value": "a"}, {"from": "User", "value": "v"}, {"from": "Bot", "value": "b"}]}""", "sharegpt", "user: u | assistant: a | user: v | assistant: b")]
    [InlineData("""{"prompt": [{"role": "user", "content": "u"}], "completion": [{"role": "assistant", "content": "a"}]}""", "prompt_completion", "user-: u | assistant: a")]
    public void Conversations_are_found_and_read(string json, string format, string turns)
    {
        var (found, example) = Read(json);
        Assert.Equal(format, found.Name);
        Assert.Equal(turns, Turns(example));
    }

    /// <summary>Tables of texts hold lists as JSON, or as Python prints them, which is said.</summary>
    [Fact]
    public void A_list_may_be_written_as_text()
    {
        const string Chat = """[{"role": "user", "content": "it's"}, {"role": "assistant", "content": "a"}]""";
        string Row(string column, string text) => JsonSerializer.Serialize(new Dictionary<string, string> { [column] = text });
        Assert.Equal("user: it's | assistant: a", Turns(Read(Row("messages", Chat)).Example));
        var (format, example) = Read(Row("conversations", """ [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]"""));
        Assert.Equal(("sharegpt", "user: u | assistant: a"), (format.Name, Turns(example)));
        Assert.Equal(
            "'messages' is a text that is not JSON: a text in single quotes, as Python prints it; JSON has double quotes: json.dumps(row) writes JSON, str(row) and print(row) do not",
            Problem(Row("messages", "[{'role': 'user', 'content': 'u'}]")));
        Assert.Equal("'messages' is a text, expected a list", Problem(Row("messages", "hello")));
    }

    /// <summary>What a source says of a name comes first, also where the name is known.</summary>
    [Theory]
    [InlineData("""{"messages": [{"role": "Customer", "content": "u"}, {"role": "user", "content": "a"}]}""")]
    [InlineData("""{"conversations": [{"from": "Customer", "value": "u"}, {"from": "user", "value": "a"}]}""")]
    public void Names_of_roles_can_be_said(string json) => Assert.Equal(
        "user: u | assistant: a", Turns(Read(json, new RowSettings { Roles = new Dictionary<string, string> { ["Customer"] = "user", ["user"] = "assistant" } }).Example));

    /// <summary>As Anthropic writes them: text, thinking, tool_use, and results in a turn of the user.</summary>
    [Fact]
    public void Content_may_be_blocks()
    {
        var (format, example) = Read("""
            {"system": [{"type": "text", "text": "be brief"}], "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}], "messages": [
              {"role": "user", "content": [{"type": "text", "text": "what"}]},
              {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "I look."}, {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": "é"}}, {"type": "tool_use", "id": "t2", "name": "f", "input": {}}]},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "7", "is_error": true}, {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "8"}, {"type": "text", "text": "9"}]}, {"type": "text", "text": "and?"}]},
              {"role": "assistant", "content": "seven"}]}
            """);
        Assert.Equal("messages", format.Name);
        var chat = Assert.IsType<Example.Chat>(example).Conversation;
        Assert.Equal(["system", "user", "assistant", "tool", "tool", "user", "assistant"], chat.Messages.Select(message => message.Role));
        Assert.Equal(["be brief", "what", "I look.", "7", "89", "and?", "seven"], chat.Messages.Select(message => message.Content));
        var call = chat.Messages[2].Fields!;
        Assert.Equal(("hm", "t1", "é"), (call["reasoning_content"]!.ToString(), call["tool_calls"]![0]!["id"]!.ToString(), call["tool_calls"]![0]!["function"]!["arguments"]!["x"]!.ToString()));
        Assert.Equal(2, call["tool_calls"]!.AsArray().Count);
        Assert.Equal(("t1", "true", "t2"), (chat.Messages[3].Fields!["tool_call_id"]!.ToString(), chat.Messages[3].Fields!["is_error"]!.ToString(), chat.Messages[4].Fields!["tool_call_id"]!.ToString()));
        Assert.Equal("""[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]""", chat.Tools!.ToJsonString());
        Assert.Equal(
            "'messages', turn 1: a block of type tool_use has no name, expected {\"type\": \"tool_use\", \"name\": \"…\", \"input\": {…}}",
            Problem("""{"messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": {}}]}]}"""));
    }

    [Fact]
    public void Strings_are_not_conversations()
    {
        Assert.Equal(new Example.PromptCompletion("p", "c"), Read("""{"prompt": "p", "completion": "c"}""").Example);
        Assert.Equal(new Example.Text("t"), Read("""{"text": "t", "url": "x"}""").Example);
        Assert.Equal(new Example.Text("a\nb"), Read("""{"title": "x", "paragraphs": ["a", "b"]}""", Mapped(("text", "paragraphs"))).Example);
    }

    [Fact]
    public void Tools_are_read_from_a_list_or_from_json_text_and_bare_functions_are_wrapped()
    {
        const string Turns = """ "conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}] """;
        Conversation Of(string tools) => Assert.IsType<Example.Chat>(Read($$"""{ {{Turns}}, "tools": {{tools}} }""").Example).Conversation;

        const string Wrapped = """[{"type":"function","function":{"name":"f","parameters":{}}}]""";
        Assert.Equal(Wrapped, Of("""[{"name": "f", "parameters": {}}]""").Tools!.ToJsonString());
        Assert.Equal(Wrapped, Of(JsonSerializer.Serialize("""[{"name": "f", "parameters": {}}]""")).Tools!.ToJsonString());
        Assert.Equal(Wrapped, Of(Wrapped).Tools!.ToJsonString());
        Assert.Null(Of("\"[]\"").Tools);
        Assert.Null(Of("\"\"").Tools);
        Assert.Null(Of("null").Tools);
    }

    [Fact]
    public void Tokenized_rows_pass_through_and_are_checked()
    {
        var labelled = Assert.IsType<Example.Tokens>(Read("""{"input_ids": [5, 9, 20], "labels": [-100, 9, -100]}""").Example);
        Assert.Equal([5, 9, 20], labelled.Ids);
        Assert.Equal([false, true, false], labelled.Trained!);
        var masked = Assert.IsType<Example.Tokens>(Read("""{"input_ids": [5, 9], "completion_mask": [0, 1], "assistant_masks": [1, 1]}""").Example);
        Assert.Equal([false, true], masked.Completion!);
        Assert.Equal([true, true], masked.Trained!);

        Assert.Equal("label 8 at position 1 stands over token 9; a label is its token's id, or -100", Problem("""{"input_ids": [5, 9], "labels": [-100, 8]}"""));
        Assert.Equal("'labels' has 1 entries, 'input_ids' has 2", Problem("""{"input_ids": [5, 9], "labels": [-100]}"""));
        Assert.Equal("'input_ids' holds a text at position 1, expected integers", Problem("""{"input_ids": [5, "9"]}"""));
        Assert.Equal("'completion_mask' holds 2, expected 0 and 1", Problem("""{"input_ids": [5, 9], "completion_mask": [0, 2]}"""));
    }

    [Theory]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}]}""", "has no turn of the role assistant: there is nothing to learn")]
    [InlineData("""{"messages": [{"role": "user"}, {"role": "assistant", "content": "a"}]}""", "'messages', turn 1: 'content' is missing, expected a text (or tool_calls beside it)")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "robot", "content": "a"}]}""", "'messages', turn 2: the role 'robot' is not known; expected system, developer, user, assistant, tool, function, ipython (human, gpt, ai, bot, observation, function_call and their like, in any case), or one of roles_to_train; say what it means with roles: { robot: user } beside the path")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, {"role": "assistant", "content": "a"}]}""", "'messages', turn 1: a content part is of type image_url; only parts of type text are trained on: {\"type\": \"text\", \"text\": \"…\"}")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a", "weight": -1}]}""", "'messages', turn 2: weight is the number -1, expected a number from 0 (not trained on), as in 0.5 (counts half)")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a", "masked": "yes"}]}""", "'messages', turn 2: masked is a text, expected true or false")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "abc", "train_detail": [{"begin_offset": 0, "end_offset": 3, "train": true}]}]}""", "'messages', turn 2: train_detail goes from 0 to 3, the content has the characters 0 to 2")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": null, "tool_calls": "f(x=1)"}]}""",
        "'messages', turn 2: tool_calls is 'f(x=1)', which is not JSON, expected a list of calls: [{\"type\": \"function\", \"function\": {\"name\": \"…\", \"arguments\": {…}}}]")]
    [InlineData("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": null, "tool_calls": [3]}]}""",
        "'messages', turn 2: tool_calls is a list with 3 in it, expected a list of calls: [{\"type\": \"function\", \"function\": {\"name\": \"…\", \"arguments\": {…}}}]")]
    [InlineData("""{"conversations": [{"from": "human", "value": "u"}, {"from": "function_call", "value": "call f"}]}""", "'conversations', turn 2: calls a function by 'call f', expected JSON: {\"name\": \"…\", \"arguments\": {…}}")]
    [InlineData("""{"instruction": "", "input": "", "output": "o"}""", "'instruction' and 'input' are both empty")]
    public void A_row_that_does_not_fit_says_why(string json, string message) => Assert.Equal(message, Problem(json));

    [Fact]
    public void A_row_of_another_form_says_what_was_found()
    {
        Assert.Equal("has no 'instruction'; found question, answer", Problem("""{"question": "q", "answer": "a"}""", format: "alpaca"));
        Assert.Equal("'output' is null", Problem("""{"instruction": "i", "output": null}""", format: "alpaca"));
        Assert.Equal("'instruction' is the number 17, expected a text", Problem("""{"instruction": 17, "output": "o"}"""));
    }

    [Fact]
    public void Columns_are_mapped_also_into_lists_and_objects()
    {
        Assert.Equal(new Example.PromptCompletion("q", "s"), Read("""{"question": "q", "query": "s"}""", Mapped(("prompt", "question"), ("completion", "query"))).Example);
        var nested = Read(
            """{"instruction": "i", "instances": [{"input": "n", "output": "o"}]}""",
            Mapped(("input", "instances.0.input"), ("output", "instances.0.output")));
        Assert.Equal("alpaca", nested.Format.Name);
        Assert.Equal("user: i\nn | assistant: o", Turns(nested.Example));
    }

    [Fact]
    public void A_prompt_template_fills_the_prompt_of_whatever_format_the_columns_name()
    {
        const string Row = """{"schema": "t(a)", "question": "how many?", "query": "SELECT 1", "n": 3, "notes": ["x", "y"], "none": null}""";
        var template = PromptTemplate.Parse("{schema}{{}}: {question} {n} {notes}{none}");
        Assert.Equal(["schema", "question", "n", "notes", "none"], template.Columns);
        const string Prompt = "t(a){}: how many? 3 x\ny";
        Assert.Equal(new Example.PromptCompletion(Prompt, "SELECT 1"), Read(Row, Mapped(("completion", "query")) with { Template = template }).Example);
        Assert.Equal($"user: {Prompt} | assistant: SELECT 1", Turns(Read(Row, Mapped(("output", "query")) with { Template = template }).Example));
        Assert.Equal(new Example.Text(Prompt), Read(Row, RowSettings.Default with { Template = template }, "text").Example);

        Assert.Equal(
            "has no 'schemas', which prompt_template names; found schema, query",
            Problem("""{"schema": "s", "query": "q"}""", Mapped(("completion", "query")) with { Template = PromptTemplate.Parse("{schemas}") }));
        Assert.Equal(
            "prompt_template: the brace at character 3 names no column; write {column}, or {{ and }} for braces",
            Assert.Throws<RequestException>(() => PromptTemplate.Parse("a {schema")).Message);
    }

    /// <summary>OpenAI's form before tool_calls: function_call in a turn, functions in the row.</summary>
    [Fact]
    public void An_older_function_call_is_a_tool_call()
    {
        var chat = Assert.IsType<Example.Chat>(Read("""
            {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"a\": 1}"}}],
             "functions": [{"name": "f"}]}
            """).Example).Conversation;
        Assert.Equal("""[{"type":"function","function":{"name":"f","arguments":"{\u0022a\u0022: 1}"}}]""", chat.Messages[1].Fields!["tool_calls"]!.ToJsonString());
        Assert.Equal("""[{"type":"function","function":{"name":"f"}}]""", chat.Tools!.ToJsonString());
    }

    [Fact]
    public void What_no_format_fits_is_told_with_the_columns_and_how_to_map_them()
    {
        var message = Assert.Throws<RequestException>(() => Read("""{"db_id": "d", "question": "q", "query": "s"}""")).Message;
        Assert.StartsWith("rows.jsonl: no format fits its rows; found the columns db_id, question, query\n", message, StringComparison.Ordinal);
        Assert.Contains("    alpaca             instruction, (input), output, (system), (history)\n", message, StringComparison.Ordinal);
        Assert.Contains("    columns: { prompt: question, completion: query }\n", message, StringComparison.Ordinal);
        Assert.Contains("    prompt_template: \"{question}\"\n    columns: { completion: query }", message, StringComparison.Ordinal);
        // Columns are guessed by their names, and a name that is no column is said.
        message = Assert.Throws<RequestException>(() => Read("""{"schema": "s", "id": 1, "question": "q", "query": "s"}""", Mapped(("completion", "quer")))).Message;
        Assert.Contains("\n  there is no column 'quer', did you mean 'query'?\n", message, StringComparison.Ordinal);
        Assert.Contains("    prompt_template: \"{schema}\\n{question}\"\n    columns: { completion: query }", message, StringComparison.Ordinal);
        Assert.Equal(
            "'chatml' is no format of rows; expected tokenized, preference, ranking, kto, messages, sharegpt, prompt_completion, alpaca, question_answer, text, lines, paragraphs, alpaca_text",
            Assert.Throws<RequestException>(() => RowFormat.Named("chatml")).Message);
    }

    [Fact]
    public void The_hash_of_the_content_does_not_depend_on_columns_and_format()
    {
        ulong Hash(string json) => Read(json).Example.ContentHash();
        var alpaca = Hash("""{"instruction": "i", "input": "", "output": "o"}""");
        Assert.Equal(alpaca, Hash("""{"id": 7, "output": "o", "instruction": "i"}"""));
        Assert.Equal(alpaca, Hash("""{"conversations": [{"from": "human", "value": "i"}, {"from": "gpt", "value": "o"}]}"""));
        Assert.NotEqual(alpaca, Hash("""{"instruction": "o", "input": "", "output": "i"}"""));
        Assert.NotEqual(Hash("""{"prompt": "ab", "completion": "c"}"""), Hash("""{"prompt": "a", "completion": "bc"}"""));
    }
}
