using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Tests.Data;
using LlmTune.Tokenization;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tests.Tokenization;

/// <summary>Calls of tools, their results and reasoning, as templates get them.</summary>
public class CallFormsTests
{
    /// <summary>Ways in which real templates ask for a call, and what they want.</summary>
    private const string
        ByToJson = "{% if m.content %}{{ m.content }}{% endif %}{% for c in m.tool_calls %}<{{ c.function.name }} {{ c.function.arguments | tojson }}>{% endfor %}",
        ByText = "{% if m.content is none %}{% for c in m.tool_calls %}<{{ c.function.name + ' ' + c.function.arguments }}>{% endfor %}{% endif %}",
        AsPrinted = "{% for c in m.tool_calls %}<{{ c.function.name }} {{ c.function.arguments }}>{% endfor %}",
        Marked = "{% for c in m.tool_calls %}{{ '<' + c.function.name + ' ' + c.function.arguments | tojson | safe + '>' if c.function.arguments is not string else '<' + c.function.name + ' ' + c.function.arguments + '>' }}{% endfor %}",
        Unasked = "{{ m.content }}{% for c in m.tool_calls %}<{{ c.function.name }} {{ c.function.arguments | tojson }}>{% endfor %}",
        Added = "{{ '' + m.content }}{% for c in m.tool_calls %}<{{ c.function.name }} {{ c.function.arguments | tojson }}>{% endfor %}",
        Items = "{% for c in m.tool_calls %}<{{ c.function.name }} {{ '{' }}{% for k, v in c.function.arguments.items() %}{{ k | tojson }}: {{ v | tojson }}{% endfor %}}>{% endfor %}";

    private static readonly string[] Contents = ["", "\"content\": null, ", "\"content\": \"\", "];

    private static readonly string[] Arguments = ["""{"port": "Brest"}""", """ "{\"port\": \"Brest\"}" """];

    private static readonly Conversation Reasoned = Read("""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}""");

    /// <summary>A template that has one way of its own for calls.</summary>
    private static string Loop(string calls, string result = "{{ m.content }}") =>
        "{% for m in messages %}[{{ m.role }}: {% if m.tool_calls %}" + calls + "{% elif m.role == 'tool' %}" + result + "{% else %}{{ m.content }}{% endif %}]{% endfor %}";

    private static string Row(string content, string arguments, string result = "\"6.4 m\"") => $$"""
        {"messages": [{"role": "user", "content": "u"},
          {"role": "assistant", {{content}}"tool_calls": [{"id": "call12345", "type": "function", "function": {"name": "tide", "arguments": {{arguments}} } }]},
          {"role": "tool", "tool_call_id": "call12345", "content": {{result}} }, {"role": "assistant", "content": "a"}]}
        """;

    private static Conversation Read(string row)
    {
        var format = RowFormat.Named("messages");
        return Assert.IsType<Example.Chat>(format.Read(new Fields(JsonElement.Parse(row), format, RowSettings.Default))).Conversation;
    }

    private static ChatTemplate Template(string source) =>
        new(source, "test", Tokenizers.Qwen) { Variables = new JsonObject { ["bos_token"] = "<s>", ["eos_token"] = "</s>" } };

    /// <summary>However a row has content and arguments, each template writes the same call.</summary>
    [Theory]
    [InlineData(ByToJson, "no content, objects")]
    [InlineData(ByText, "null as content, JSON text")]
    [InlineData(AsPrinted, "no content, JSON text")]
    [InlineData(Marked, "no content, JSON text")]
    [InlineData(Unasked, "no content, objects")]
    [InlineData(Added, "an empty content, objects")]
    [InlineData(Items, "no content, objects")]
    public void A_template_gets_a_call_in_the_form_that_it_writes(string calls, string form)
    {
        foreach (var content in Contents)
        {
            foreach (var arguments in Arguments)
            {
                var text = Template(Loop(calls)).Render(Read(Row(content, arguments)), false).Text;
                Assert.Equal("""[user: u][assistant: <tide {"port": "Brest"}>][tool: 6.4 m][assistant: a]""", text);
            }
        }
        var chosen = Template(Loop(calls)).FormOfCalls(Read(Row(Contents[0], Arguments[0])));
        Assert.Equal($"with arguments as {form.Split(", ")[1]}, {form.Split(", ")[0]} where a turn has no text", chosen);
    }

    /// <summary>A text beside the calls stays, and an empty one too where the template takes it.</summary>
    [Theory]
    [InlineData("\"content\": \"t\", ", "t")]
    [InlineData("\"content\": \"\", ", "")]
    public void The_content_of_a_row_stays_where_the_template_takes_it(string content, string written)
    {
        foreach (var arguments in Arguments)
            Assert.Contains($$"""[assistant: {{written}}<tide {"port": "Brest"}>]""", Template(Loop(Added)).Render(Read(Row(content, arguments)), false).Text, StringComparison.Ordinal);
    }

    /// <summary>A template without a form for calls gets rows as Transformers passes them on: without None, and refused where it fails.</summary>
    [Fact]
    public void A_template_without_calls_gets_what_Transformers_gives_it()
    {
        const string Plain = "{% for m in messages %}[{{ m.role }}: {{ m['content'] }}]{% endfor %}", Strict = "{% for m in messages %}{{ m.role + m['content'] }}{% endfor %}";
        Assert.Equal("[user: u][assistant: ][tool: 6.4 m][assistant: a]", Template(Plain).Render(Read(Row(Contents[1], Arguments[0])), false).Text);
        Assert.Equal("useruassistanttool6.4 massistanta", Template(Strict).Render(Read(Row(Contents[2], Arguments[0])), false).Text);
        Assert.Contains("has no attribute 'content'", Assert.Throws<TemplateException>(() => Template(Strict).Render(Read(Row(Contents[1], Arguments[0])), false)).Message, StringComparison.Ordinal);
        Assert.Equal("as the rows have them", Template(Plain).FormOfCalls(Read(Row(Contents[0], Arguments[0]))));
        Assert.Null(Template(Plain).FormOfCalls(Reasoned));
    }

    /// <summary>A result is an object where the template writes JSON of it, and JSON text where it prints it or adds it to a text.</summary>
    [Theory]
    [InlineData("{{ m.content | tojson }}")]
    [InlineData("{{ m.content }}")]
    [InlineData("{{ '' + m.content }}")]
    [InlineData("{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}")]
    [InlineData("{{ m.content if m.content is string else m.content | tojson }}")]
    public void A_result_that_is_no_text_is_written_as_JSON(string result)
    {
        foreach (var json in (string[])["""{"metres": 6.4, "at": null}""", """[{"metres": 6.4}, "é"]"""])
            Assert.Contains($"[tool: {json}]", Template(Loop(ByToJson, result)).Render(Read(Row(Contents[1], Arguments[1], json)), false).Text, StringComparison.Ordinal);
    }

    /// <summary>Arguments that are no JSON object stay the text that they are; an empty text stands for none.</summary>
    [Theory]
    [InlineData("""{'port': 'Brest'}""", """ "{'port': 'Brest'}" """, true)]
    [InlineData("""[1]""", """ "[1]" """, true)]
    [InlineData("""{\"a\": \"\\ud800\"}""", """ "{\"a\": \"\\ud800\"}" """, true)]
    [InlineData("", "{}", false)]
    [InlineData("""{\"a\": 1, \"a\": 2, \"big\": 12345678901234567890123}""", """{"a": 2, "big": 12345678901234567890123}""", false)]
    public void Arguments_that_are_not_JSON_stay_as_they_are(string arguments, string written, bool broken)
    {
        var conversation = Read(Row(Contents[1], $"\"{arguments}\""));
        Assert.Contains($"<tide {written.Trim()}>", Template(Loop(ByToJson)).Render(conversation, false).Text, StringComparison.Ordinal);
        Assert.Equal(broken, MessageValues.HasBrokenArguments(conversation.Messages[1]));
    }

    /// <summary>
    /// {"thinking": reasoning, **message, "reasoning_content": reasoning}, the first of reasoning_content, thinking and reasoning that is not
    /// null being the reasoning: what _alias_reasoning_fields of Transformers 5.23 says.
    /// </summary>
    [Theory]
    [InlineData("""{"reasoning_content": "r"}""", """{"thinking": "r", "role": "assistant", "content": "a", "reasoning_content": "r"}""")]
    [InlineData("""{"thinking": "r"}""", """{"thinking": "r", "role": "assistant", "content": "a", "reasoning_content": "r"}""")]
    [InlineData("""{"reasoning": "r"}""", """{"thinking": "r", "role": "assistant", "content": "a", "reasoning": "r", "reasoning_content": "r"}""")]
    [InlineData("""{"thinking": "t", "reasoning": "r"}""", """{"thinking": "t", "role": "assistant", "content": "a", "reasoning": "r", "reasoning_content": "t"}""")]
    [InlineData("""{"reasoning_content": null, "reasoning": "r"}""", """{"thinking": "r", "role": "assistant", "content": "a", "reasoning": "r", "reasoning_content": "r"}""")]
    [InlineData("""{"reasoning_content": "c", "thinking": "t"}""", """{"thinking": "t", "role": "assistant", "content": "a", "reasoning_content": "c"}""")]
    [InlineData("""{"name": null}""", """{"role": "assistant", "content": "a"}""")]
    public void Reasoning_stands_under_each_of_its_names(string fields, string expected)
    {
        var message = new Message("assistant", "a") { Fields = (JsonObject)JsonNode.Parse(fields)! };
        Assert.Equal(expected, Template("{{ messages[1] | tojson }}").Render(new Conversation([new("user", "u"), message]), false).Text);
    }

    /// <summary>Inputs that were trained wrongly, with what Transformers makes of them.</summary>
    [Theory]
    [InlineData("01-null-content-trains-None", 0, "<|start_header_id|>assistant<|end_header_id|>\n\n<|eot_id|><|start_header_id|>tool<|end_header_id|>\n\n6.4 m<|eot_id|>")]
    [InlineData("03-reasoning-field-lost", 0, "<|im_start|>assistant\n<think>\nseven sixes\n</think>\n\n42<|im_end|>\n")]
    [InlineData("03-reasoning-field-lost", 1, "<|im_start|>assistant\n<think>\nseven sixes\n</think>\n\n42<|im_end|>\n")]
    [InlineData("05-string-arguments", 0, "function<｜tool▁sep｜>tide\n```json\n{\"port\": \"Brest\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>")]
    [InlineData("05-string-arguments", 1, "<｜Assistant｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>tide\n```json\n{\"port\": \"Brest\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>")]
    [InlineData("07-legacy-function-call", 0, "<tool_call>\n{\"name\": \"tide\", \"arguments\": {\"port\": \"Brest\"}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n6.4 m\n</tool_response><|im_end|>\n")]
    [InlineData("10-mistral-tools-cannot-be-told", 0, "[TOOL_CALLS][{\"name\": \"tide\", \"arguments\": {\"port\": \"Brest\"}, \"id\": \"call12345\"}]</s>")]
    [InlineData("10-mistral-tools-cannot-be-told", 1, "[TOOL_CALLS][{\"name\": \"tide\", \"arguments\": {\"port\": \"Brest\"}, \"id\": \"call12345\"}]</s>")]
    public void Cases_from_reports_come_out_right(string name, int row, string expected)
    {
        var folder = TurnsGoldenTests.External(Material.Variable, $"cases/{name}");
        var text = Template(File.ReadAllText(Path.Combine(folder, "model", "chat_template.jinja"))).Render(Read(File.ReadLines(Path.Combine(folder, "rows.jsonl")).ElementAt(row)), false).Text;
        Assert.Contains(expected, text, StringComparison.Ordinal);
    }

    /// <summary>
    /// Every template of the golden cases: a call and its result are never written with None, HTML's marks, in quotes or as Python prints
    /// them; rows that say the same give the same text; and where a template can write both, both are there.
    /// </summary>
    [Fact]
    public void Real_templates_write_calls_properly_or_not_at_all()
    {
        var folder = TurnsGoldenTests.External(Golden.Variable, "tokenizers/chat-templates/templates");
        var tools = JsonNode.Parse("""[{"type": "function", "function": {"name": "tide", "description": "Tide now", "parameters": {"type": "object", "properties": {"port": {"type": "string", "description": "A harbour"}}, "required": ["port"]}}}]""")!.AsArray();
        var (whole, problems) = (0, new List<string>());
        foreach (var file in Directory.EnumerateFiles(folder, "*.jinja").Order(StringComparer.Ordinal))
        {
            var template = new ChatTemplate(File.ReadAllText(file), Path.GetFileName(file), Tokenizers.Qwen) { Variables = new JsonObject { ["bos_token"] = "<s>", ["eos_token"] = "</s>" } };
            foreach (var hasTools in (bool[])[true, false])
            {
                var texts = Contents.SelectMany(content => Arguments.Select(arguments => Written(template, Read(Row(content, arguments)) with { Tools = hasTools ? tools : null }))).ToList();
                foreach (var text in texts.OfType<string>())
                {
                    var call = text[text.LastIndexOf('u')..];
                    if (Array.Exists(["None", "&#34;", "\\\"port", "'port'"], mark => text.Contains(mark, StringComparison.Ordinal))) problems.Add($"{template.Origin}: {call}");
                }
                for (var i = 0; i < texts.Count; i += 2) if (texts[i] != texts[i + 1]) problems.Add($"{template.Origin}: {texts[i]}\nbut of JSON text\n{texts[i + 1]}");
                if (texts.TrueForAll(text => text is not null && text.Contains("6.4 m", StringComparison.Ordinal) && text.Contains("Brest", StringComparison.Ordinal))) whole++;
            }
        }
        Assert.True(problems.Count == 0, string.Join("\n", problems));
        Assert.True(whole >= 30, $"only {whole} templates, with and without tools, write a call and its result in every form of the row");
    }

    private static string? Written(ChatTemplate template, Conversation conversation)
    {
        try
        {
            return template.Render(conversation, false).Text;
        }
        catch (TemplateException)
        {
            return null;
        }
    }
}
