using System.Text.Json.Nodes;
using LlmTune.Tests.Tokenization.Templates;
using LlmTune.Tokenization;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tests.Tokenization;

public class ChatTemplateTests
{
    private static readonly string[] ChatMlMarks = ["<|im_start|>", "<|im_end|>"];

    private static readonly Conversation Greeting = new([new("user", "Hi"), new("assistant", "Hello")]);

    [Fact]
    public void The_file_comes_before_the_config()
    {
        using var model = new SmallTokenizer([], config: new { chat_template = "from config" }, template: "{{ 'from file' }}");
        var template = model.Template;
        Assert.Equal("from file", template.Render(Greeting, false).Text);
        Assert.Equal(Path.Combine(model.Folder, "chat_template.jinja"), template.Origin);
    }

    [Fact]
    public void The_config_may_hold_one_template_or_several_by_name()
    {
        using var one = new SmallTokenizer([], config: new { chat_template = "{{ 'one' }}" });
        Assert.Equal("one", one.Template.Render(Greeting, false).Text);
        Assert.EndsWith("tokenizer_config.json (chat_template)", one.Template.Origin, StringComparison.Ordinal);

        using var several = new SmallTokenizer([], config: new
        {
            chat_template = new[] { new { name = "default", template = "plain" }, new { name = "tool_use", template = "tools: {{ tools|length }}" }, new { name = "rag", template = "rag" } },
        });
        Assert.Equal("plain", several.Template.Render(Greeting, false).Text);
        Assert.Equal("tools: 1", several.Template.Render(Greeting with { Tools = [new JsonObject { ["type"] = "function" }] }, false).Text);
        Assert.Equal("rag", ChatTemplate.For(several.Tokenizer, several.Folder, "rag")!.Render(Greeting, false).Text);
    }

    [Fact]
    public void Additional_templates_are_found_by_file_name()
    {
        using var model = new SmallTokenizer([], template: "main").With("additional_chat_templates/brief.jinja", "brief");
        Assert.Equal("main", model.Template.Render(Greeting, false).Text);
        Assert.Equal("brief", ChatTemplate.For(model.Tokenizer, model.Folder, "brief")!.Render(Greeting, false).Text);
    }

    [Fact]
    public void A_setting_is_a_file_or_the_text_itself()
    {
        using var model = new SmallTokenizer([], template: "main").With("own.jinja", "{{ messages[0].content }} from own");
        Assert.Equal("Hi from own", ChatTemplate.For(model.Tokenizer, model.Folder, Path.Combine(model.Folder, "own.jinja"))!.Render(Greeting, false).Text);
        Assert.Equal("Hi from own", ChatTemplate.For(model.Tokenizer, model.Folder, "own.jinja")!.Render(Greeting, false).Text);
        var inline = ChatTemplate.For(model.Tokenizer, model.Folder, "{% for m in messages %}{{ m.role }};{% endfor %}")!;
        Assert.Equal("user;assistant;", inline.Render(Greeting, false).Text);
        Assert.Equal("model.chat_template", inline.Origin);
    }

    [Fact]
    public void ChatML_may_be_set_by_its_name_where_the_vocabulary_has_its_marks()
    {
        using var marked = new SmallTokenizer(["<|im_start|>", "<|im_end|>"], template: "main");
        var template = ChatTemplate.For(marked.Tokenizer, marked.Folder, "chatml")!;
        Assert.Equal("built-in ChatML", template.Origin);
        Assert.StartsWith("<|im_start|>user\n", template.Render(Greeting, false).Text, StringComparison.Ordinal);
        using var plain = new SmallTokenizer([], template: "main");
        var e = Assert.Throws<RequestException>(() => ChatTemplate.For(plain.Tokenizer, plain.Folder, "chatml"));
        Assert.Equal("model.chat_template: chatml needs <|im_start|> and <|im_end|> in the vocabulary, and this tokenizer has not got both", e.Message);
    }

    [Fact]
    public void A_setting_that_names_nothing_says_what_there_is()
    {
        using var model = new SmallTokenizer([], template: "main").With("additional_chat_templates/brief.jinja", "brief");
        var e = Assert.Throws<RequestException>(() => ChatTemplate.For(model.Tokenizer, model.Folder, "breif"));
        Assert.Equal(
            $"model.chat_template: there is no file 'breif' and no template of that name ({model.Folder} has brief, default), "
            + "and as a template's text it writes nothing: it has no {{ and no {%",
            e.Message);
    }

    [Fact]
    public void Several_templates_without_a_default_are_refused()
    {
        using var model = new SmallTokenizer([], config: new { chat_template = new[] { new { name = "b", template = "" }, new { name = "a", template = "" } } });
        var e = Assert.Throws<RequestException>(() => ChatTemplate.For(model.Tokenizer, model.Folder));
        Assert.Equal($"{model.Folder} has several chat templates and none is the default: set model.chat_template to one of a, b", e.Message);
    }

    [Fact]
    public void A_model_with_the_marks_for_it_gets_ChatMl()
    {
        using var model = new SmallTokenizer(ChatMlMarks);
        Assert.Equal("built-in ChatML", model.Template.Origin);
        var rendered = model.Template.Render(new Conversation([new("system", "Be brief."), .. Greeting.Messages, new("user", "Bye")]), true);
        Assert.Equal(
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n"
            + "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
            rendered.Text);
        Assert.Equal("Hello<|im_end|>", rendered.Text[rendered.Generated[0].Start..rendered.Generated[0].End]);
    }

    [Fact]
    public void ChatMl_refuses_what_it_has_no_form_for()
    {
        using var model = new SmallTokenizer(ChatMlMarks);
        var call = new Message("assistant", null) { Fields = new JsonObject { ["tool_calls"] = new JsonArray(new JsonObject()) } };
        var e = Assert.Throws<TemplateException>(() => model.Template.Render(new Conversation([new("user", "Hi"), call]), false));
        Assert.Equal("built-in ChatML:3: the built-in ChatML template has no form for tool calls; set model.chat_template", e.Message);
    }

    [Fact]
    public void A_model_without_a_template_is_said_to_have_none()
    {
        using var model = new SmallTokenizer(["<|im_start|>"]);
        Assert.Null(ChatTemplate.For(model.Tokenizer, model.Folder));
        var e = Assert.Throws<RequestException>(() => ChatTemplate.Require(model.Tokenizer, model.Folder));
        Assert.StartsWith($"{model.Folder} has no chat template", e.Message, StringComparison.Ordinal);
        Assert.Contains("set model.chat_template to a Jinja file or its text, or use data without turns", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_that_is_none_says_where()
    {
        using var model = new SmallTokenizer([], template: "line one\n{% for m in messages %}\n{{ m.content ");
        var e = Assert.Throws<TemplateException>(() => model.Template);
        Assert.Equal($"{model.Folder}/chat_template.jinja:3: unexpected end of template, expected 'end of print statement'.", e.Message);
        using var odd = new SmallTokenizer([], config: new { chat_template = 3 });
        Assert.Equal(
            $"{odd.Folder}/tokenizer_config.json: chat_template must be a text or a list of {{\"name\": …, \"template\": …}}",
            Assert.Throws<RequestException>(() => ChatTemplate.For(odd.Tokenizer, odd.Folder)).Message);
    }

    [Fact]
    public void A_refused_role_is_an_error_with_the_templates_words()
    {
        using var model = new SmallTokenizer([], template: "{% if messages[0].role == 'system' %}\n{{ raise_exception('System role not supported') }}\n{% endif %}");
        var e = Assert.Throws<TemplateException>(() => model.Template.Render(new Conversation([new("system", "x")]), false));
        Assert.Equal($"{model.Folder}/chat_template.jinja:2: System role not supported", e.Message);
    }

    [Fact]
    public void The_template_sees_tokens_fields_and_variables()
    {
        using var model = new SmallTokenizer(["<s>", "</s>"], config: new { bos_token = "<s>", eos_token = new { content = "</s>" } },
            template: "{{ bos_token }}{{ eos_token }}{{ pad_token is defined }} {{ messages[0]|tojson }} {{ tools }} {{ enable_thinking }} {{ strftime_now('%d %b %Y') }} {{ add_generation_prompt }}");
        var template = ChatTemplate.Require(model.Tokenizer, model.Folder);
        var message = new Message("user", "Hi") { Fields = new JsonObject { ["name"] = "Ann", ["n"] = 1.0 } };
        var clocked = new ChatTemplate(template.Source, template.Origin, model.Tokenizer)
        {
            Clock = new FixedClock(new DateTime(2024, 7, 26)),
            Variables = new JsonObject { ["enable_thinking"] = false },
        };
        Assert.Equal("<s></s>False {\"role\": \"user\", \"content\": \"Hi\", \"name\": \"Ann\", \"n\": 1.0} None False 26 Jul 2024 True", clocked.Render(new Conversation([message]), true).Text);
    }

    [Fact]
    public void Content_in_parts_replaces_the_text()
    {
        using var model = new SmallTokenizer([], template: "{% for p in messages[0].content %}[{{ p.text }}]{% endfor %}");
        var message = new Message("user", null) { Fields = new JsonObject { ["content"] = JsonNode.Parse("""[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]""") } };
        Assert.Equal("[a][b]", model.Template.Render(new Conversation([message]), false).Text);
    }
}
