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

    [Fact]
    public void Text_gets_no_BOS_besides_the_templates()
    {
        using var model = new SmallTokenizer([.. Marks, "<s>"], config: new { bos_token = "<s>" }, template: "{{ bos_token }}" + ChatMl);
        var ids = model.Template.ForTraining(Two, model.Tokenizer).Ids;
        Assert.Equal(model.Tokenizer.BosId, ids[0]);
        Assert.Equal(1, ids.Count(id => id == model.Tokenizer.BosId));
    }

    private static string[] Texts(SmallTokenizer model, RenderedConversation rendered) => [.. rendered.Turns.Select(t => model.Tokenizer.Decode(rendered.Ids.AsSpan(t.Start..t.End).ToArray()))];

    private static string[] AssistantTexts(SmallTokenizer model, RenderedConversation rendered) =>
        [.. rendered.Turns.Where(t => t.Role == "assistant").Select(t => model.Tokenizer.Decode(rendered.Ids.AsSpan(t.Start..t.End).ToArray()))];

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
