using System.Text.Json.Nodes;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <summary>Which tokens belong to which turn, and that a prompt has the same ids in training and at inference.</summary>
public class TurnsTests
{
    /// <summary>ChatML without marks: turns are found by the prompts.</summary>
    private const string ChatMl =
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    /// <summary>The pattern of Qwen2's tokenizers, in which line feeds stick together.</summary>
    private const string Qwen2 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly string[] Marks = ["<|im_start|>", "<|im_end|>", "<|end|>", "<think>", "</think>"];

    private static readonly Conversation Two = new([new("system", "S"), new("user", "u1"), new("assistant", "a1"), new("user", "u2"), new("assistant", "a2")]);

    [Fact]
    public void An_assistants_turn_begins_behind_the_generation_prompt_and_has_its_end()
    {
        using var model = new SmallTokenizer(Marks, template: ChatMl);
        var rendered = model.Template.ForTraining(Two, model.Tokenizer);
        Assert.Equal(
            ["<|im_start|>system\nS<|im_end|>\n", "<|im_start|>user\nu1<|im_end|>\n", "a1<|im_end|>\n", "<|im_start|>user\nu2<|im_end|>\n", "a2<|im_end|>\n"],
            Texts(model, rendered));
        Assert.Equal([0, 1, 2, 3, 4], rendered.Turns.Select(t => t.Message));
        Assert.Equal(["system", "user", "assistant", "user", "assistant"], rendered.Turns.Select(t => t.Role));
        AssertPrompts(model, Two, rendered);
    }

    [Fact]
    public void Marks_of_the_template_decide()
    {
        using var model = new SmallTokenizer(Marks);
        var rendered = model.Template.ForTraining(Two, model.Tokenizer);
        Assert.Equal(["a1<|im_end|>", "a2<|im_end|>"], AssistantTexts(model, rendered));
        AssertPrompts(model, Two, rendered);
    }

    /// <summary>
    /// "\n" of the prompt and "\n" of the answer are one token when the text is encoded whole. The prompt keeps its own: at inference it ends
    /// with one "\n" token, too.
    /// </summary>
    [Fact]
    public void A_token_over_the_border_is_cut()
    {
        using var model = new SmallTokenizer(Marks, [("Ċ", "Ċ")], template: ChatMl, pattern: Qwen2);
        var conversation = new Conversation([new("user", "u"), new("assistant", "\na"), new("user", "v"), new("assistant", "b")]);
        var newline = model.Tokenizer.TokenId("Ċ")!.Value;
        var merged = model.Tokenizer.TokenId("ĊĊ")!.Value;
        Assert.Contains(merged, model.Tokenizer.Encode(model.Template.Render(conversation, false).Text));
        var rendered = model.Template.ForTraining(conversation, model.Tokenizer);
        Assert.DoesNotContain(merged, rendered.Ids);
        Assert.Equal(newline, rendered.Ids[rendered.Turns[1].Start - 1]);
        Assert.Equal(newline, rendered.Ids[rendered.Turns[1].Start]);
        Assert.Equal(["\na<|im_end|>\n", "b<|im_end|>\n"], AssistantTexts(model, rendered));
        AssertPrompts(model, conversation, rendered);
    }

    /// <summary>As Qwen3: thinking of earlier turns goes, the last one has it, and an end token is written only behind the last.</summary>
    [Fact]
    public void Turns_that_are_rendered_differently_when_others_follow_are_found()
    {
        const string source = """
            {%- for m in messages %}
            {%- if m.role == 'assistant' and not loop.last %}{{ '<|im_start|>assistant\n' + m.content.split('</think>')[-1] + '<|im_end|>\n' }}
            {%- elif m.role == 'assistant' %}{{ '<|im_start|>assistant\n' + m.content + '<|end|>\n' }}
            {%- else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}
            {%- endfor %}
            {%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
            """;
        using var model = new SmallTokenizer(Marks, template: source);
        var conversation = new Conversation([new("user", "u1"), new("assistant", "<think>t1</think>a1"), new("user", "u2"), new("assistant", "<think>t2</think>a2")]);
        var rendered = model.Template.ForTraining(conversation, model.Tokenizer);
        Assert.Equal(["a1<|im_end|>\n", "<think>t2</think>a2<|end|>\n"], AssistantTexts(model, rendered));
        AssertPrompts(model, conversation, rendered);
    }

    /// <summary>As DeepSeek-R1: the generation prompt opens the thinking, of which a full conversation has nothing.</summary>
    [Fact]
    public void A_generation_prompt_that_conversations_do_not_have_is_said()
    {
        const string source = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>' }}{% endif %}";
        using var model = new SmallTokenizer(Marks, template: source);
        var rendered = model.Template.ForTraining(Two, model.Tokenizer);
        Assert.Equal(["a1<|im_end|>\n", "a2<|im_end|>\n"], AssistantTexts(model, rendered));
        Assert.All(rendered.Turns.Where(t => t.Role == "assistant"), t => Assert.False(t.PromptIsExact));
        Assert.All(rendered.Turns.Where(t => t.Role != "assistant"), t => Assert.True(t.PromptIsExact));
    }

    /// <summary>The border lies within one token, <c>&lt;think&gt;</c> and <c>&lt;tool&gt;</c> having "&lt;t" in common: the token counts as the model's.</summary>
    [Fact]
    public void A_turn_never_begins_within_a_token()
    {
        const string source = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>' }}{% endif %}";
        using var model = new SmallTokenizer([.. Marks, "<tool>"], template: source);
        var rendered = model.Template.ForTraining(new Conversation([new("user", "u"), new("assistant", "<tool>x")]), model.Tokenizer);
        Assert.Equal(["<tool>x<|im_end|>\n"], AssistantTexts(model, rendered));
    }

    /// <summary>A template that refuses prompts without a user turn still renders a conversation that the assistant begins.</summary>
    [Fact]
    public void A_conversation_that_the_assistant_begins_has_its_turns()
    {
        using var model = new SmallTokenizer(Marks, template: "{% if not messages %}{{ raise_exception('no messages') }}{% endif %}" + ChatMl);
        var rendered = model.Template.ForTraining(new Conversation([new("assistant", "a"), new("user", "u"), new("assistant", "b")]), model.Tokenizer);
        Assert.Equal(["a<|im_end|>\n", "b<|im_end|>\n"], AssistantTexts(model, rendered));
        Assert.Equal([false, true], rendered.Turns.Where(t => t.Role == "assistant").Select(t => t.PromptIsExact));
    }

    /// <summary>The system text stands in the head, outside of the loop, and belongs to the system turn with what is around it.</summary>
    [Fact]
    public void A_system_turn_outside_of_the_loop_is_what_stands_before_the_first()
    {
        const string source = "{{ '<|im_start|>' + messages[0].content + '<|im_end|>' }}{% for m in messages[1:] %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
        using var model = new SmallTokenizer(Marks, template: source);
        var rendered = model.Template.ForTraining(Two, model.Tokenizer);
        Assert.Equal(["<|im_start|>S<|im_end|>", "<|im_start|>user\nu1<|im_end|>\n", "a1<|im_end|>\n", "<|im_start|>user\nu2<|im_end|>\n", "a2<|im_end|>\n"], Texts(model, rendered));
    }

    /// <summary>A template that writes the turns in a macro has no passes to be seen, but keeps what it wrote when others follow.</summary>
    [Fact]
    public void Turns_written_by_a_macro_are_found_by_prefixes()
    {
        const string source = "{% macro all() %}" + "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}" + "{% endmacro %}{{ all() }}"
            + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
        using var model = new SmallTokenizer(Marks, template: source);
        var rendered = model.Template.ForTraining(Two, model.Tokenizer);
        Assert.Equal(["a1<|im_end|>\n", "a2<|im_end|>\n"], AssistantTexts(model, rendered));
        AssertPrompts(model, Two, rendered);
    }

    [Fact]
    public void What_cannot_be_told_is_an_error()
    {
        const string source = "{% macro all() %}{% for m in messages %}{{ loop.revindex ~ m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% endmacro %}{{ all() }}"
            + "{% if add_generation_prompt %}{{ '0assistant\n' }}{% endif %}";
        using var model = new SmallTokenizer(Marks, template: source);
        var e = Assert.Throws<RequestException>(() => model.Template.ForTraining(Two, model.Tokenizer));
        Assert.Equal(
            $"{model.Folder}/chat_template.jinja: what the template writes for message 3 (assistant) cannot be told from what it writes for the others; "
            + "mark what the model writes with {% generation %} … {% endgeneration %} in the template, or set model.chat_template to one that does",
            e.Message);
    }

    [Fact]
    public void A_turn_may_be_marked_in_pieces_or_not_at_all()
    {
        const string source = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' and m.content != 'a1' %}{% generation %}{{ m.content }}{% endgeneration %}{{ '|' }}"
            + "{% generation %}{{ '<|im_end|>' }}{% endgeneration %}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
        using var model = new SmallTokenizer(Marks, template: source);
        var rendered = model.Template.ForTraining(Two, model.Tokenizer);
        Assert.Equal(["", "a2", "<|im_end|>"], AssistantTexts(model, rendered));
        Assert.Equal([2, 4, 4], rendered.Turns.Where(t => t.Role == "assistant").Select(t => t.Message));
    }

    /// <summary>Jinja places a mark inside a macro where the macro's text begins; the text before it in the macro makes that wrong.</summary>
    [Fact]
    public void Misplaced_marks_are_not_used()
    {
        const string source = "{% macro turn(m) %}{{ '<|im_start|>assistant\n' }}{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}{% endmacro %}"
            + "{% for m in messages %}{% if m.role == 'assistant' %}{{ turn(m) }}{% else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{% endif %}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
        using var model = new SmallTokenizer(Marks, template: source);
        Assert.True(model.Template.Render(Two, false).Misplaced);
        Assert.Equal(["a1<|im_end|>", "a2<|im_end|>"], AssistantTexts(model, model.Template.ForTraining(Two, model.Tokenizer)));
    }

    /// <summary>As the first Llama 3 Instruct, Cohere, GLM-Edge and Command A, which open the model's next turn, or half of it, asked or not.</summary>
    [Theory]
    [InlineData("{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{% endfor %}{{ '<|im_start|>assistant\n' }}", "", "<|im_end|>")]
    [InlineData("{% for m in messages %}<|im_start|>{% if m.role == 'user' %}U{% elif m.role == 'assistant' %}A{% else %}S{% endif %}{{ m.content }}<|im_end|>{% endfor %}<|im_start|>A", "", "<|im_end|>")]
    [InlineData("{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}<|assistant|>", "\n", "")]
    [InlineData("{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{{ '<think>' if m.role == 'assistant' }}{{ m.content + '<|im_end|>' }}{% endfor %}{{ '<|im_start|>assistant\n' }}{% if add_generation_prompt %}<think>{% endif %}", "", "<|im_end|>")]
    public void A_prompt_behind_the_last_turn_belongs_to_none(string source, string before, string behind)
    {
        using var model = new SmallTokenizer([.. Marks, "<|assistant|>"], template: source);
        foreach (var conversation in (Conversation[])[Two, new([new("user", "u"), new("assistant", "a"), new("assistant", "b")]), new([new("user", "Name a port."), new("assistant", "Brest")])])
        {
            var rendered = model.Template.ForTraining(conversation, model.Tokenizer);
            Assert.Equal(conversation.Messages.Where(m => m.Role == "assistant").Select(m => before + m.Content + behind), AssistantTexts(model, rendered));
            Assert.Equal(rendered.Ids.Length, rendered.Turns[^1].End + rendered.Opening);
            Assert.True(rendered.Opening > 0);
            AssertPrompts(model, conversation, rendered);
        }
    }

    /// <summary>What ends the last turn may be written behind the loop, and what ends the others at the beginning of the next pass.</summary>
    [Theory]
    [InlineData("{% for m in messages %}{{ m.role + '\n' + m.content + '\n' }}{% endfor %}{{ '<|end|>' }}", "a1\n", "a2\n<|end|>")]
    [InlineData("{% for m in messages %}{% if not loop.first %}{{ '<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + m.role + '\n' + m.content }}{% endfor %}{{ '<|im_end|>\n' }}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}", "a1<|im_end|>\n", "a2<|im_end|>\n")]
    [InlineData("{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}{% if not loop.last %}{{ '<|im_end|>\n' }}{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}", "a1<|im_end|>\n", "a2<|im_end|>\n")]
    public void The_end_of_the_last_turn_behind_the_loop_is_the_models(string source, string first, string last)
    {
        using var model = new SmallTokenizer(Marks, template: source);
        var rendered = model.Template.ForTraining(Two, model.Tokenizer);
        Assert.EndsWith(first, AssistantTexts(model, rendered)[0], StringComparison.Ordinal);
        Assert.EndsWith(last, AssistantTexts(model, rendered)[1], StringComparison.Ordinal);
        Assert.Equal(0, rendered.Opening);
        // The same where the user has the last word.
        var open = model.Template.ForTraining(new Conversation([.. Two.Messages, new("user", "u3")]), model.Tokenizer);
        Assert.EndsWith(first, AssistantTexts(model, open)[0], StringComparison.Ordinal);
    }

    /// <summary>As Gemma 4: the pass over a call writes the tool's answers with it, and that over the answers nothing.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("Let me look.")]
    public void What_a_tool_answers_in_the_pass_of_the_call_is_the_tools(string text)
    {
        const string source = """
            {%- for m in messages %}{% if m.role != 'tool' %}{{ '<|im_start|>' + m.role + '\n' + m.content }}
            {%- for call in m.tool_calls or [] %}<|end|>{{ call.function.name }}{% endfor %}
            {%- if m.tool_calls %}{% set ns = namespace(stop=false) %}{% for k in range(loop.index0 + 1, messages | length) %}
            {%- if messages[k].role != 'tool' %}{% set ns.stop = true %}{% endif %}{% if not ns.stop %}<think>{{ messages[k].content }}</think>{% endif %}{% endfor %}
            {%- else %}{{ '<|im_end|>\n' }}{% endif %}{% endif %}{% endfor %}
            {%- if add_generation_prompt and messages[-1].role != 'tool' %}{{ '<|im_start|>assistant\n' }}{% endif %}
            """;
        using var model = new SmallTokenizer(Marks, template: source);
        var calls = new JsonObject { ["tool_calls"] = new JsonArray(new JsonObject { ["function"] = new JsonObject { ["name"] = "tide" } }) };
        Message Call() => new("assistant", text) { Fields = (JsonObject)calls.DeepClone() };
        var rendered = model.Template.ForTraining(
            new Conversation([new("user", "u"), Call(), new("tool", "6 m"), new("tool", "7 m"), new("assistant", "It is 6 m."), new("user", "v"), Call(), new("tool", "5 m"), new("assistant", "5 m")]), model.Tokenizer);
        Assert.Equal([text + "<|end|>tide", "<|im_start|>assistant\nIt is 6 m.<|im_end|>\n", text + "<|end|>tide", "<|im_start|>assistant\n5 m<|im_end|>\n"], AssistantTexts(model, rendered));
        Assert.Equal(["<think>6 m</think>", "<think>7 m</think>", "<think>5 m</think>"], Texts(model, rendered, "tool"));
    }

    /// <summary>As Mistral's own: turns of one role are joined in a first loop, so that the second has nothing of the messages, and tools stand before the last question.</summary>
    [Fact]
    public void Turns_of_a_template_that_makes_messages_of_its_own_are_found()
    {
        const string source = """
            {%- set ns = namespace(all=[], users=0, n=0) %}{% for m in messages %}{% if m.role == 'tool' %}{% set ns.all = ns.all + [m] %}{% else %}
            {%- set ns.all = ns.all + [{'role': m.role, 'content': m.content}] %}{% endif %}{% if m.role == 'user' %}{% set ns.users = ns.users + 1 %}{% endif %}{% endfor %}
            {%- for m in ns.all %}{% if m.role == 'user' %}{% set ns.n = ns.n + 1 %}{% if ns.n == ns.users %}<|im_start|>tools<|im_start|>{% endif %}<think>{{ m.content }}</think>
            {%- elif m.role == 'tool' %}<tool>{{ m.content }}<tool>{% else %}{{ m.content }}<|im_end|>{% endif %}{% endfor %}
            """;
        using var model = new SmallTokenizer([.. Marks, "<tool>"], template: source);
        // The word of the first answer stands in the question before it too, and before an end in that of the third.
        var rendered = model.Template.ForTraining(
            new Conversation([new("user", "yes"), new("assistant", "yes"), new("user", "call"), new("assistant", "6"), new("tool", "6"), new("assistant", "6"), new("user", "yes<|im_end|>"), new("assistant", "yes")]),
            model.Tokenizer);
        Assert.Equal(["yes<|im_end|>", "6<|im_end|>", "6<|im_end|>", "yes<|im_end|>"], AssistantTexts(model, rendered));
        Assert.Equal(["<tool>6<tool>"], Texts(model, rendered, "tool"));
        Assert.Equal([false, false, false, true], rendered.Turns.Where(t => t.Role == "assistant").Select(t => t.PromptIsExact));
    }

    /// <summary>As Mistral v2: calls of earlier rounds and their answers are left out.</summary>
    [Fact]
    public void A_turn_that_is_not_written_has_nothing()
    {
        const string source = """
            {%- set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}
            {%- for m in messages %}{% if m.role == 'user' %}<think>{{ m.content }}</think>{% elif m.content.startswith('call') and loop.index0 < ns.last %}
            {%- elif m.role == 'tool' and loop.index0 < ns.last %}{% elif m.role == 'assistant' %}{{ m.content }}<|im_end|>{% else %}{{ m.content }}{% endif %}{% endfor %}
            """;
        using var model = new SmallTokenizer(Marks, template: source);
        var rendered = model.Template.ForTraining(
            new Conversation([new("user", "u"), new("assistant", "call"), new("tool", "6"), new("assistant", "a"), new("user", "v"), new("assistant", "b")]), model.Tokenizer);
        Assert.Equal(["", "a<|im_end|>", "b<|im_end|>"], AssistantTexts(model, rendered));
    }

    /// <summary>Stretches of a content, whatever the template trims from it and puts around it; what begins in one belongs to it.</summary>
    [Fact]
    public void Parts_of_a_content_are_found()
    {
        using var model = new SmallTokenizer(Marks, template: ChatMl.Replace("m.content", "(m.content | trim)", StringComparison.Ordinal));
        var message = new Message("assistant", "  one two three ") { Parts = [new(0, 5, 0), new(5, 9, 0.5f), new(9, 16, 1)] };
        var rendered = model.Template.ForTraining(new Conversation([new("user", "one two three"), message]), model.Tokenizer);
        Assert.Equal(["one", " two", " three"], rendered.Parts.Select(p => model.Tokenizer.Decode(rendered.Ids.AsSpan(p.Start..p.End).ToArray())));
        Assert.Equal([0, 0.5f, 1], rendered.Parts.Select(p => p.Weight));
        Assert.Equal(1, rendered.Parts[0].Message);

        using var shouting = new SmallTokenizer(Marks, template: ChatMl.Replace("m.content", "(m.content | upper)", StringComparison.Ordinal));
        var e = Assert.Throws<RequestException>(() => shouting.Template.ForTraining(new Conversation([new("user", "u"), message]), shouting.Tokenizer));
        Assert.EndsWith("changes the content of message 2 (assistant), so that the parts of it that are to be trained on cannot be told from the others", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_gets_no_BOS_besides_the_templates()
    {
        using var model = new SmallTokenizer([.. Marks, "<s>"], config: new { bos_token = "<s>" }, template: "{{ bos_token }}" + ChatMl);
        var ids = model.Template.ForTraining(Two, model.Tokenizer).Ids;
        Assert.Equal(model.Tokenizer.BosId, ids[0]);
        Assert.Equal(1, ids.Count(id => id == model.Tokenizer.BosId));
    }

    private static string[] Texts(SmallTokenizer model, RenderedConversation rendered) => [.. rendered.Turns.Select(t => model.Tokenizer.Decode(rendered.Ids.AsSpan(t.Start..t.End).ToArray()))];

    private static string[] AssistantTexts(SmallTokenizer model, RenderedConversation rendered) => Texts(model, rendered, "assistant");

    private static string[] Texts(SmallTokenizer model, RenderedConversation rendered, string role) =>
        [.. rendered.Turns.Where(t => t.Role == role).Select(t => model.Tokenizer.Decode(rendered.Ids.AsSpan(t.Start..t.End).ToArray()))];

    /// <summary>What stands before every assistant's turn is what the model gets at inference.</summary>
    private static void AssertPrompts(SmallTokenizer model, Conversation conversation, RenderedConversation rendered)
    {
        foreach (var turn in rendered.Turns.Where(t => t.Role == "assistant"))
        {
            var prompt = model.Template.ForInference(conversation with { Messages = [.. conversation.Messages.Take(turn.Message)] }, model.Tokenizer);
            Assert.True(turn.PromptIsExact);
            Assert.Equal(prompt, rendered.Ids[..turn.Start]);
        }
    }
}
