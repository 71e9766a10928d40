using System.Text.Json.Nodes;
using LlmTune.Tokenization;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tests.Tokenization;

/// <summary>What templates leave out of conversations.</summary>
public class LeftOutTests
{
    private const string
        Everything = "{{ tools | tojson }}{% for m in messages %}[{{ m | tojson }}]{% endfor %}",
        Contents = "{% for m in messages %}[{{ m.role }}: {{ m.content }}]{% endfor %}",
        FirstSystem = "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}{% for m in messages %}{% if m.role in ['user', 'assistant'] %}{{ m.content | upper | trim }}{% endif %}{% endfor %}",
        CallsAlone = "{{ tools }}{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
        LastReasoning = "{% for m in messages %}{{ m.content }}{% if loop.last %}{{ m.reasoning_content }}{% endif %}{% endfor %}",
        AsAsked = "{% if xml_tools %}{{ xml_tools }}{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}";

    /// <summary>Tools, a system turn at the beginning and one in the middle, a text beside a call, a result, reasoning in both answers.</summary>
    private static Conversation Full(JsonObject? variables = null) => new(
        [
            new("system", "Be brief."), new("user", "q"),
            new("assistant", "Let me see.") { Fields = Fields("""{"reasoning_content": "hm", "tool_calls": [{"id": "call12345", "type": "function", "function": {"name": "tide", "arguments": {"port": "Brest"}}}]}""") },
            new("tool", "6.4 m") { Fields = Fields("""{"tool_call_id": "call12345"}""") }, new("developer", "Say metres."),
            new("assistant", "It is 6.4 m.") { Fields = Fields("""{"reasoning": "so"}""") },
        ],
        JsonNode.Parse("""[{"type": "function", "function": {"name": "tide", "description": "Tide", "parameters": {"type": "object", "properties": {}}}}]""")!.AsArray())
    {
        Variables = variables,
    };

    private static JsonObject Fields(string json) => JsonNode.Parse(json)!.AsObject();

    private static string Of(string source, Conversation conversation) =>
        string.Join(", ", new LeftOut(new ChatTemplate(source, "test", Tokenizers.Qwen)).Of(conversation).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData(Everything, "")]
    [InlineData(Contents, "the calls of tools, the reasoning, the tools")]
    [InlineData(FirstSystem, "the calls of tools, the reasoning, the results of tools, the tools, the turns of the role developer")]
    [InlineData(CallsAlone, "the reasoning, the text beside calls of tools")]
    [InlineData(LastReasoning, "the calls of tools, the tools")]
    [InlineData("{{ raise_exception('no') }}", "")]
    [InlineData("nothing", "the calls of tools, the reasoning, the results of tools, the text beside calls of tools, the tools, the turns of the role assistant, the turns of the role developer, the turns of the role system, the turns of the role user")]
    public void Parts_that_are_not_written_are_named(string source, string parts) => Assert.Equal(parts, Of(source, Full()));

    [Fact]
    public void What_is_not_there_is_not_left_out()
    {
        var plain = new Conversation([new("system", ""), new("user", "q"), new("assistant", "a")]);
        Assert.Equal("", Of(Contents, plain));
        Assert.Equal("", Of("{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}", plain));
        Assert.Equal("the turns of the role user", Of("{% for m in messages if m.role != 'user' %}{{ m.content }}{% endfor %}", plain));
    }

    /// <summary>A result that is an object, and a row's variables, decide as they do in the rendering.</summary>
    [Fact]
    public void Forms_and_variables_of_a_row_count()
    {
        var full = Full();
        var result = full with { Messages = [.. full.Messages.Select(m => m.Role == "tool" ? m with { Content = null, Fields = Fields("""{"content": {"metres": 6.4}}""") } : m)] };
        Assert.Equal("the calls of tools, the reasoning, the tools", Of(Contents, result));
        Assert.Contains("the results of tools", Of(FirstSystem, result), StringComparison.Ordinal);
        const string IfAsked = "{{ tools if enable_tools }}" + Contents;
        Assert.DoesNotContain("the tools", Of(IfAsked, Full(new JsonObject { ["enable_tools"] = true })), StringComparison.Ordinal);
        Assert.Contains("the tools", Of(IfAsked, Full(new JsonObject { ["enable_tools"] = false })), StringComparison.Ordinal);
        Assert.Contains("the tools", Of(AsAsked, Full()), StringComparison.Ordinal);
    }

    /// <summary>Every template of the golden cases: a part is said to be left out where its own text is not in the rendering.</summary>
    [Fact]
    public void Real_templates_leave_out_what_is_said()
    {
        var folder = TurnsGoldenTests.External(Golden.Variable, "tokenizers/chat-templates/templates");
        (string Role, string Text)[] texts = [("system", "Be brief and quixotic."), ("user", "Quartz?"), ("assistant", "Zephyr."), ("developer", "Say fjord."), ("tool", "Sphinx"), ("assistant", "Vortex.")];
        var (compared, problems) = (0, new List<string>());
        foreach (var file in Directory.EnumerateFiles(folder, "*.jinja").Order(StringComparer.Ordinal))
        {
            var template = new ChatTemplate(File.ReadAllText(file), Path.GetFileName(file), Tokenizers.Qwen) { Variables = new JsonObject { ["bos_token"] = "<s>", ["eos_token"] = "</s>" } };
            foreach (var roles in (string[][])[["system", "user", "assistant"], ["developer", "user", "assistant"], ["user", "assistant", "tool", "assistant"], ["user", "assistant"]])
            {
                List<Message> messages = [];
                foreach (var role in roles)
                {
                    var text = texts.First(t => t.Role == role && messages.TrueForAll(m => m.Content != t.Text)).Text;
                    messages.Add(new Message(role, text) { Fields = role == "tool" ? Fields("""{"tool_call_id": "call12345", "name": "tide"}""") : null });
                }
                string rendered;
                try
                {
                    rendered = template.Render(new Conversation(messages), false).Text;
                }
                catch (TemplateException)
                {
                    continue;
                }
                var expected = messages.Where(m => !rendered.Contains(m.Content!.Split(' ')[^1].Trim('.', '?'), StringComparison.Ordinal))
                    .Select(m => m.Role == "tool" ? "the results of tools" : $"the turns of the role {m.Role}").Distinct().Order(StringComparer.Ordinal);
                var found = new LeftOut(template).Of(new Conversation(messages)).Order(StringComparer.Ordinal);
                if (!expected.SequenceEqual(found)) problems.Add($"{template.Origin}, {string.Join(" ", roles)}: {string.Join(", ", found)} instead of {string.Join(", ", expected)}");
                compared++;
            }
        }
        Assert.True(problems.Count == 0, string.Join("\n", problems));
        Assert.True(compared > 80, $"only {compared} were compared");
    }
}
