using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Tests.Data;
using LlmTune.Tests.Tokenization.Templates;
using LlmTune.Tokenization;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tests.Tokenization;

/// <summary>What one rendering tells about the beginnings of a conversation, against rendering each of them.</summary>
public class RenderedWholeTests
{
    /// <summary>What a template makes of the first messages, null where it refuses them: a rendering of its own, that nobody watches.</summary>
    private static string? Slow(ChatTemplate template, Conversation conversation, int messages, bool prompt)
    {
        try
        {
            return template.Render(conversation with { Messages = [.. conversation.Messages.Take(messages)] }, prompt).Text;
        }
        catch (TemplateException)
        {
            return null;
        }
    }

    /// <summary>Every beginning, and the whole, as the slow definition has them; the number of beginnings and of those that had to be rendered.</summary>
    private static (int Beginnings, int Rendered) Compare(ChatTemplate template, Conversation conversation, string what)
    {
        var (count, rendered) = (0, 0);
        foreach (var asPrompt in (bool[])[false, true])
        {
            if (Slow(template, conversation, conversation.Messages.Count, asPrompt) is not { } text) continue;
            var whole = new RenderedWhole(template, conversation, asPrompt);
            Assert.True(text == whole.Text, $"{what}: the whole differs when it is watched");
            for (var k = 0; k <= conversation.Messages.Count; k++)
            {
                var prompt = Slow(template, conversation, k, prompt: true);
                Assert.True(prompt == whole.Beginning(k, true), $"{what}: the prompt after {k} messages is\n{whole.Beginning(k, true)}\ninstead of\n{prompt}");
                Assert.True(Slow(template, conversation, k, prompt: false) == whole.Beginning(k, false), $"{what}: the first {k} messages differ");
                var before = whole.Renderings;
                var length = whole.PromptLength(k);
                rendered += whole.Renderings - before;
                count++;
                Assert.True(length == (prompt is not null && text.StartsWith(prompt, StringComparison.Ordinal) ? prompt.Length : -1), $"{what}: the prompt after {k} messages has the length {length}");
            }
        }
        return (count, rendered);
    }

    /// <summary>Ids and turns are those of the definition that renders every beginning.</summary>
    private static void CompareIds(ChatTemplate template, Conversation conversation, HfTokenizer tokenizer, string what)
    {
        RenderedConversation expected;
        try
        {
            expected = ChatTemplate.ForTraining(new RenderedWhole(template, conversation, false, traced: false), tokenizer);
        }
        catch (RequestException e)
        {
            Assert.Equal(e.Message, Assert.ThrowsAny<RequestException>(() => template.ForTraining(conversation, tokenizer)).Message);
            return;
        }
        var got = template.ForTraining(conversation, tokenizer);
        Assert.True(expected.Ids.AsSpan().SequenceEqual(got.Ids), $"{what}: other ids");
        Assert.True(expected.Turns.SequenceEqual(got.Turns), $"{what}: other turns");
    }

    [Theory]
    [MemberData(nameof(TemplateGoldenTests.Templates), MemberType = typeof(TemplateGoldenTests))]
    public void Beginnings_of_every_template_are_those_that_it_renders(string folder)
    {
        var lines = new List<string>();
        foreach (var (file, cases) in TurnsGoldenTests.TemplatesOf(folder))
        {
            var name = Path.GetFileName(file);
            var template = new ChatTemplate(File.ReadAllText(file), name, Tokenizers.Qwen) { Clock = new FixedClock(new DateTime(2025, 7, 10)) };
            var (all, rendered) = (0, 0);
            foreach (var (label, value) in cases)
            {
                var conversation = TurnsGoldenTests.Read(value!);
                var (beginnings, slow) = Compare(template, conversation, $"{name}, {label}");
                (all, rendered) = (all + beginnings, rendered + slow);
                CompareIds(template, conversation, Tokenizers.Qwen, $"{name}, {label}");
            }
            lines.Add($"{name}: {rendered} of {all} beginnings were rendered");
        }
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join("\n", lines));
    }

    /// <summary>Templates written for what may go wrong: each looks at something that a beginning does not have as the whole has it.</summary>
    [Theory]
    [InlineData("{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}>{% endif %}", 0)]
    [InlineData("{% set all = messages[1:] %}{% for m in all %}[{{ m.content }}{{ loop.index }}]{% endfor %}{% if add_generation_prompt %}>{% endif %}", 1)]
    [InlineData("{{ messages[0].content }}{% for m in messages %}[{{ m.content }}]{% endfor %}{{ '>' if add_generation_prompt else '.' }}", 1)]
    [InlineData("{% for m in messages %}[{{ m.content }}{{ messages[loop.index0 - 1].content if loop.index0 > 0 }}]{% endfor %}", 0)]
    [InlineData("{% for m in messages %}[{{ m.content }}]{% if add_generation_prompt is defined %}!{% endif %}{% endfor %}{% if add_generation_prompt %}>{% endif %}", 0)]
    [InlineData("{% macro end() %}{{ add_generation_prompt }}{{ x }}{% endmacro %}{% set x = 1 %}{% for m in messages %}[{{ m.content }}]{% endfor %}{% set x = 2 %}{{ end() }}", 0)]
    [InlineData("{% for m in messages %}[{{ m.content }}{{ loop.last }}]{% endfor %}>", 4)]
    [InlineData("{% for m in messages %}[{{ m.content }}{{ loop.length }}]{% endfor %}>", 4)]
    [InlineData("{% for m in messages %}[{{ m.content }}{{ loop }}]{% endfor %}>", 4)]
    [InlineData("{% for m in messages %}[{{ m.content }}{{ messages[-1].content }}]{% endfor %}>", 4)]
    [InlineData("{% for m in messages %}[{{ m.content }}{{ messages | length }}]{% endfor %}>", 4)]
    [InlineData("{% for m in messages %}[{{ m.content }}{{ messages[loop.index0 + 1] is defined }}]{% endfor %}>", 3)]
    [InlineData("{% for m in messages %}[{{ m.content }}]{% endfor %}{{ messages[-1].content }}", 5)]
    [InlineData("{% for m in messages %}[{{ m.content }}]{% endfor %}{{ messages[0].content }}", 5)]
    [InlineData("{% set ns = namespace(n=0) %}{% for m in messages %}[{{ m.content }}]{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", 5)]
    [InlineData("{% set c = cycler('a', 'b', 'c') %}{% for m in messages %}[{{ c.next() }}]{% endfor %}{{ c.current }}", 5)]
    [InlineData("{% set it = messages | map(attribute='content') %}{% for m in messages %}[{{ m.content }}]{% endfor %}{{ it | first }}", 5)]
    [InlineData("{% for m in messages %}[{{ m.content }}{{ add_generation_prompt }}]{% endfor %}>", 4)]
    [InlineData("{% for m in messages if m.role == 'user' %}[{{ m.content }}]{% endfor %}>", 5)]
    [InlineData("{% for m in messages %}[{{ m.content }}]{% else %}none{% endfor %}>", 5)]
    [InlineData("{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}{{ raise_exception('no') }}{% endif %}", 5)]
    [InlineData("{% set ns = namespace(m=messages) %}{% for m in messages %}[{{ m.content }}]{% endfor %}{{ ns.m | length }}", 5)]
    [InlineData("{% for m in messages %}[{{ m.content }}]{% if m.content == 'c' %}{% break %}{% endif %}{% endfor %}>", 2)]
    [InlineData("{% for m in messages[1:] %}[{{ messages[1:] | length }}]{% endfor %}>", 4)]
    [InlineData("{% for m in messages %}{% for n in messages %}{{ n.content }}{% endfor %}{% endfor %}>", 4)]
    public void What_a_template_looks_at_decides(string source, int rendered)
    {
        var template = new ChatTemplate(source, "test", Tokenizers.Qwen);
        var conversation = new Conversation([new("user", "a"), new("assistant", "b"), new("user", "c"), new("assistant", "d")]);
        Compare(template, conversation, source);
        var whole = new RenderedWhole(template, conversation, addGenerationPrompt: false);
        for (var k = 0; k <= conversation.Messages.Count; k++) whole.PromptLength(k);
        Assert.Equal(rendered, whole.Renderings);
    }

    /// <summary>Real conversations, with the templates and vocabularies that most of them are trained with.</summary>
    [Theory]
    [InlineData("glaive_toolcall_en_demo.json", "lc-Qwen-Qwen2.5-7B-Instruct.jinja", "qwen2.5")]
    [InlineData("glaive_toolcall_en_demo.json", "lc-meta-llama-Llama-3.1-8B-Instruct.jinja", "llama3")]
    [InlineData("glaive_toolcall_en_demo.json", "trl-qwen3_training.jinja", "qwen2.5")]
    [InlineData("v1_sft_demo.jsonl", "lc-Qwen-Qwen2.5-7B-Instruct.jinja", "qwen2.5")]
    [InlineData("v1_sft_demo.jsonl", "lct-Llama-3.jinja", "llama3")]
    public void Ids_and_turns_of_real_conversations_are_those_of_the_slow_definition(string data, string file, string vocabulary)
    {
        var tokenizer = HfTokenizer.Load(Material.Path("tokenizers", vocabulary));
        var path = TemplateGoldenTests.Templates.SelectMany(row => TurnsGoldenTests.TemplatesOf(row.Data)).Select(template => template.File).FirstOrDefault(path => Path.GetFileName(path) == file);
        if (path is null) Assert.Skip($"no case has the template {file}");
        var template = new ChatTemplate(File.ReadAllText(path), file, tokenizer) { Variables = new JsonObject { ["bos_token"] = "<|begin_of_text|>" } };
        using var source = Source.Open(new SourceConfig { Path = Material.Path("sft", data) }, new RowSettings());
        var (all, rendered, count) = (0, 0, 0);
        foreach (var row in source.Rows())
        {
            var conversation = Assert.IsType<Example.Chat>(source.Format.Read(new Fields(row.Value, source.Format, source.Settings))).Conversation;
            if (count++ % 5 == 0)
            {
                var (beginnings, slow) = Compare(template, conversation, row.Place);
                (all, rendered) = (all + beginnings, rendered + slow);
            }
            CompareIds(template, conversation, tokenizer, row.Place);
        }
        Assert.True(count >= 300);
        TestContext.Current.TestOutputHelper?.WriteLine($"{data}, {file}: {rendered} of {all} beginnings were rendered");
    }
}
