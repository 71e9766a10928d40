using System.Text.RegularExpressions;
using LlmTune.Cli;
using LlmTune.Cli.Terminal;
using LlmTune.Recipes;
using Serilog.Core;

namespace LlmTune.Tests.Cli.Commands;

public sealed class PreviewCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public PreviewCommandTests()
    {
        // No weights: config.json and the tokenizer are all that a preview needs.
        Directory.CreateDirectory(_folder["model"]);
        foreach (var name in (string[])["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
            File.Copy(Path.Combine(RealModels.Stories, name), Path.Combine(_folder["model"], name));
        File.WriteAllText(_folder["pairs.jsonl"], """
            {"prompt": "Once", "completion": " upon"}
            {"prompt": "Lily", "completion": " <b>\u001b[31m"}
            """);
        File.WriteAllText(_folder["chat.jsonl"], """
            {"messages": [{"role": "user", "content": "Once"}, {"role": "assistant", "content": "upon"}]}
            """);
        File.WriteAllText(_folder["run.yaml"], """
            model: { path: model }
            adapter: { type: lora }
            data:
              sources: [{ path: pairs.jsonl }]
              max_length: 64
            training: { output_dir: out, per_device_train_batch_size: 2, num_train_epochs: 2 }
            """);
    }

    private (int Code, string Output, string Error) Run(params string[] args) => AppTests.Run(["preview", _folder["run.yaml"], .. args]);

    private string Template(string text)
    {
        File.WriteAllText(_folder["template.jinja"], text);
        return $"model.chat_template={_folder["template.jinja"]}";
    }

    [Fact]
    public void What_is_trained_on_stands_between_marks_with_file_and_line()
    {
        var (code, output, error) = Run();
        Assert.True(code == 0, error);
        // By hand: BOS, ▁Once | ▁upon, EOS.
        Assert.Contains($"── {_folder["pairs.jsonl"]}:1 (pairs.jsonl: 4 tokens, 2 trained on)\n", output, StringComparison.Ordinal);
        Assert.Matches(@"<s> ?Once⟦ upon</s>⟧\n", output);
        Assert.Contains($"── {_folder["pairs.jsonl"]}:2 ", output, StringComparison.Ordinal);
        Assert.Contains("⟦ <b>␛[31m</s>⟧", output, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', output);
        Assert.Matches(@"pairs\.jsonl +prompt_completion +2 ", output);
        Assert.Contains("\n2 documents in 1 row of up to 64 tokens, ", output, StringComparison.Ordinal);
        Assert.Contains("\n1 step an epoch, of 2 rows each; 2 in the run\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Judged_answers_stand_behind_their_prompt_which_is_shown_once()
    {
        File.WriteAllText(_folder["pairs.jsonl"], """
            {"prompt": "Once", "chosen": " upon", "rejected": " the"}
            {"prompt": "Lily", "chosen": " <b>\u001b[31m", "rejected": " <i>"}
            """);
        var (code, output, error) = Run("--rows", "1", "--html", _folder["page.html"]);
        Assert.True(code == 0, error);
        // By hand: BOS, ▁Once | ▁upon, EOS | ▁the, EOS.
        Assert.Contains(":1 (pairs.jsonl: a prompt of 2 tokens; chosen 2, rejected 2)\n", output, StringComparison.Ordinal);
        Assert.Matches(@"<s> ?Once\nchosen:\n⟦ upon</s>⟧\nrejected:\n⟦ the</s>⟧\n", output);
        Assert.Matches(@"pairs\.jsonl +preference +2 ", output);
        Assert.Contains("\n2 documents in 1 row of up to 128 tokens, ", output, StringComparison.Ordinal);
        Assert.Contains("\nThese answers are judged, and training on judgements is not built", output, StringComparison.Ordinal);
        var page = File.ReadAllText(_folder["page.html"]);
        Assert.Contains("<h4>chosen</h4>\n<pre><span class=\"t\" title=\"407\"> upon</span>", page, StringComparison.Ordinal);
        Assert.Contains("<h4>rejected</h4>\n<pre class=\"bad\"><span class=\"t\" title=", page, StringComparison.Ordinal);
        Assert.Matches(@"\n     2      407  \+  upon\n     3        2  \+ </s>\nrejected:\n     2 ", Run("--rows", "1", "--ids").Output);

        var (train, _, refusal) = AppTests.Run("train", _folder["run.yaml"]);
        Assert.Equal(2, train);
        Assert.Contains("columns: { prompt: prompt, completion: chosen }", refusal, StringComparison.Ordinal);
    }

    private const string Calls = """
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "x=1"}}]}, {"role": "tool", "content": "3"}, {"role": "assistant", "content": "a"}], "tools": [{"name": "f"}]}
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
        """;

    [Fact]
    public void Text_that_the_template_leaves_out_is_counted_and_an_error()
    {
        File.WriteAllText(_folder["pairs.jsonl"], Calls);
        var template = Template("{% for m in messages if m.role in ['user', 'assistant'] %}[{{ m.content }}]{% endfor %}");
        var (code, output, _) = Run("--check", template);
        Assert.Equal(1, code);
        foreach (var part in (string[])["the tools", "the calls of tools", "the results of tools", "the turns of the role system"])
            Assert.Contains($"error: pairs.jsonl: the chat template does not write {part}, in 1 of 2 rows, first in {_folder["pairs.jsonl"]}:1: the model never sees that text\n  → set model.chat_template to one", output, StringComparison.Ordinal);
        Assert.DoesNotContain("does not write the turns of the role user", output, StringComparison.Ordinal);
        Assert.Contains($"warning: pairs.jsonl: arguments of calls are a text that is no JSON object, in 1 of 2 rows, first in {_folder["pairs.jsonl"]}:1; it stays as it is", output, StringComparison.Ordinal);
        Assert.Contains("Calls of tools reach the template as the rows have them", output, StringComparison.Ordinal);

        var whole = Template("{{ tools | tojson }}{% for m in messages %}{{ '[' + (m.content or '') }}{% for c in m.tool_calls %}{{ c.function.name ~ (c.function.arguments | tojson) }}{% endfor %}]{% endfor %}");
        output = Run("--check", whole).Output;
        Assert.DoesNotContain("does not write", output, StringComparison.Ordinal);
        Assert.Contains("Calls of tools reach the template with arguments as objects, no content where a turn has no text", output, StringComparison.Ordinal);
    }

    /// <summary>Variables of the model, before them those of the data, before both those of a row.</summary>
    [Fact]
    public void The_template_sees_variables_of_the_run_and_of_rows()
    {
        const string Turns = """ "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}] """;
        File.WriteAllLines(_folder["pairs.jsonl"],
        [
            $$"""{ {{Turns}}, "chat_template_kwargs": {"y": "row", "z": "row"} }""", $$"""{ {{Turns}}, "chat_template_kwargs": "{\"z\": false}" }""", $"{{ {Turns}, \"chat_template_kwargs\": null }}",
        ]);
        var template = Template("{% for m in messages %}{{ m.content }}{% endfor %} x={{ x }} y={{ y }} z={{ z }}!");
        var (code, output, error) = Run("--rows", "9", template, "model.chat_template_kwargs={ x: model, y: model, z: model }", "data.chat_template_kwargs.y=data");
        Assert.True(code == 0, error);
        Assert.Contains("x=model y=row z=row!", output, StringComparison.Ordinal);
        Assert.Contains("x=model y=data z=False!", output, StringComparison.Ordinal);
        Assert.Contains("x=model y=data z=model!", output, StringComparison.Ordinal);
        Assert.DoesNotContain("columns not used", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[1]", "'chat_template_kwargs' is a list, expected variables of the chat template: {\"enable_thinking\": false}")]
    [InlineData("\"no\"", "'chat_template_kwargs' is a text, expected variables of the chat template: {\"enable_thinking\": false}")]
    [InlineData("{\"messages\": []}", "'chat_template_kwargs' holds messages, which is the conversation's own")]
    public void Variables_that_are_none_are_refused(string variables, string problem)
    {
        File.WriteAllText(_folder["pairs.jsonl"], $$"""{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "chat_template_kwargs": {{variables}} }""");
        var (code, _, error) = Run(Template("{% for m in messages %}{{ m.content }}{% endfor %}"));
        Assert.Equal(2, code);
        Assert.Contains(problem, error, StringComparison.Ordinal);
        Assert.Contains("model.chat_template_kwargs must be without messages and add_generation_prompt, which are the conversation's own, got {\"messages\":1}",
            Run("model.chat_template_kwargs.messages=1").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_are_a_line_a_token() =>
        Assert.Matches(@"\n     0        1    <s>\n     1      403    .?Once\n     2      407  \+  upon\n     3        2  \+ </s>\n", Run("--ids", "--rows", "1").Output);

    [Fact]
    public void On_a_terminal_colours_take_the_place_of_marks()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 }, "NO_COLOR is set");
        using var output = new StringWriter();
        Assert.Equal(0, App.Run(["preview", _folder["run.yaml"]], Screen.To(output, TextWriter.Null, terminalWidth: 80)));
        Assert.DoesNotContain('⟦', output.ToString());
        var styles = Regex.Matches(output.ToString(), "\e\\[([0-9;]+)m( upon|</s>|<s>)").Select(m => (m.Groups[2].Value, m.Groups[1].Value)).Distinct().ToDictionary();
        Assert.Equal(3, styles.Values.Distinct().Count());
    }

    /// <summary>Three long names do not fit: a column a source, and as many of them beside each other as do.</summary>
    [Fact]
    public void The_table_of_sources_fits_the_screen()
    {
        var rest = ", " + string.Join(", ", Enumerable.Range(1, 3).Select(i => $"{{ path: {_folder["pairs.jsonl"]}, label: a-source-with-a-long-name-{i} }}"));
        using var output = new StringWriter();
        var sources = $"data.sources=[{rest[2..]}]";
        Assert.Equal(0, App.Run(["preview", _folder["run.yaml"], sources, "--rows", "0"], Screen.To(output, TextWriter.Null, terminalWidth: 80)));
        var lines = Regex.Replace(output.ToString(), "\e\\[[0-9;]*m", "").ReplaceLineEndings("\n").Split('\n');
        Assert.Equal(
        [
            "              a-source-with-a-long-name-1  a-source-with-a-long-name-2",
            "  format                prompt_completion            prompt_completion",
            "  rows                                  2                            2",
        ], lines[..3]);
        Assert.Contains("              a-source-with-a-long-name-3  all", lines);
        Assert.Contains("  rows                                  2    6", lines);
    }

    /// <summary>The small model never saw an end of text: with its weights at hand the check finds it, as training and a dry run do.</summary>
    [Fact]
    public void A_check_looks_at_the_embeddings_where_they_are()
    {
        Assert.Contains("not checked: whether the base model knows", Run("--check").Output, StringComparison.Ordinal);
        var (code, output, _) = Run("--check", $"model.path={RealModels.Stories}");
        Assert.Equal(1, code);
        Assert.Contains("the base model's embeddings of </s> (2) look as if they had never been trained", output, StringComparison.Ordinal);
        Assert.Equal(0, Run("--check", $"model.path={RealModels.Stories}", "adapter.modules_to_save=[embed_tokens]").Code);
        var dry = AppTests.Run("train", _folder["run.yaml"], "--dry-run", $"model.path={RealModels.Stories}", "device=cpu");
        Assert.Equal(0, dry.Code);
        Assert.Contains("warning: untrained-tokens: the base model's embeddings of </s> (2)", dry.Error, StringComparison.Ordinal);
    }

    /// <summary>"ti" and "me" are one token together: the model would see "a ti" at inference and was trained behind "a time".</summary>
    [Fact]
    public void A_check_counts_the_prompts_whose_end_is_no_end_of_a_token()
    {
        File.WriteAllText(_folder["pairs.jsonl"], """
            {"prompt": "Once", "completion": " upon"}
            {"prompt": "Once upon a ti", "completion": "me there"}
            """);
        var (code, output, _) = Run("--check");
        Assert.Equal(1, code);
        Assert.Contains(
            $"pairs.jsonl: in 1 of 2 documents a token reaches over the border of prompt and completion, first in {_folder["pairs.jsonl"]}:2: ", output, StringComparison.Ordinal);
    }

    /// <summary>Plain pairs for a model that is asked through a template: said by check, dry run and training, with the columns to use, which are then quiet.</summary>
    [Fact]
    public void Plain_pairs_for_a_model_with_a_chat_template_are_a_warning_everywhere()
    {
        File.WriteAllText(_folder["faq.csv"], "Question,Answer\nOnce?, upon\nLily?, the end\n");
        var template = Template("{% for m in messages %}{{ m.role }}: {% generation %}{{ m.content }}</s>{% endgeneration %}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");
        const string Problem = "warning: faq.csv: its prompts and completions are trained on as plain text, and this model has a chat template";
        const string Remedy = "  → let its rows go through the template: columns: { question: Question, answer: Answer }; keep them";
        string[] raw = ["data.sources.0.path=" + _folder["faq.csv"], "data.sources.0.columns={prompt: Question, completion: Answer}", template];

        var (code, output, _) = Run(["--check", .. raw]);
        Assert.Equal(1, code);
        Assert.Contains(Problem, output, StringComparison.Ordinal);
        Assert.Contains(Remedy, output, StringComparison.Ordinal);
        string[] train = ["train", _folder["run.yaml"], $"model.path={RealModels.Stories}", "device=cpu", .. raw];
        foreach (var (_, _, error) in ((int, string, string)[])[AppTests.Run([.. train, "--dry-run"]), AppTests.Run(train)])
        {
            Assert.Contains(Problem.Replace("faq.csv", "plain-pairs: faq.csv", StringComparison.Ordinal), error, StringComparison.Ordinal);
            Assert.Contains(Remedy, error, StringComparison.Ordinal);
        }

        // Without the columns the format is found, and without the template it is plain text that is asked for.
        Assert.DoesNotContain("plain text", Run("--check", raw[0], template).Output, StringComparison.Ordinal);
        Assert.Equal(0, Run("--check", raw[0], template).Code);
        Assert.Equal(0, Run(["--check", .. raw[..2]]).Code);
    }

    /// <summary>Names in braces that nothing has filled in, in the rows or by a prompt_template with doubled braces.</summary>
    [Fact]
    public void A_check_finds_placeholders()
    {
        Assert.DoesNotContain("braces", Run("--check").Output, StringComparison.Ordinal);
        File.WriteAllText(_folder["pairs.jsonl"], """
            {"prompt": "Once", "completion": " upon"}
            {"prompt": "Dear {{ name }},", "completion": " the end"}
            """);
        var (code, output, _) = Run("--check");
        Assert.Equal(1, code);
        Assert.Contains(
            $"warning: pairs.jsonl: 1 of the first 2 documents hold a name in braces that nothing has filled in, first in {_folder["pairs.jsonl"]}:2: {{{{ name }}}}\n", output, StringComparison.Ordinal);
        File.WriteAllText(_folder["pairs.jsonl"], """{"ask": "Once", "completion": " upon"}""");
        (code, output, _) = Run("--check", "data.sources.0.prompt_template='{{ask}}'", "data.sources.0.columns={completion: completion}");
        Assert.Equal(1, code);
        Assert.Contains("warning: pairs.jsonl: prompt_template writes {ask} as it stands: doubled braces are braces\n  → write {ask} in it", output, StringComparison.Ordinal);
        Assert.Equal(0, Run("--check", "data.sources.0.prompt_template='{ask}'", "data.sources.0.columns={completion: completion}").Code);
    }

    /// <summary>The answers bring the token that the template writes behind them; other tokens at the end are no matter.</summary>
    [Fact]
    public void A_check_finds_doubled_ends()
    {
        var template = Template("{% for m in messages %}{{ m.role }}:{% generation %}{{ m.content }}</s>{% endgeneration %}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}");
        string Chat(string answer)
        {
            File.WriteAllText(_folder["chat.jsonl"], $$"""{"messages": [{"role": "user", "content": "Once"}, {"role": "assistant", "content": "{{answer}}"}]}""");
            var (code, output, error) = Run("--check", "data.sources.0.path=" + _folder["chat.jsonl"], template);
            Assert.True(code is 0 or 1, error);
            return $"{code} {output}";
        }
        var good = Chat("upon");
        Assert.StartsWith("0 ", good, StringComparison.Ordinal);
        Assert.Contains("Check: special tokens and the ends of answers are as they should be; the prompts of 1 answers are those of inference", good, StringComparison.Ordinal);
        foreach (var doubled in (string[])[Chat("upon</s>"), Chat("upon</s> ")])
        {
            Assert.StartsWith("1 ", doubled, StringComparison.Ordinal);
            Assert.Contains("error: 1 of 1 rows end with </s> (2) twice: the model would learn to write it as text\n", doubled, StringComparison.Ordinal);
        }
        // Of plain pairs no prompt is compared, and nothing is said of prompts.
        Assert.EndsWith("as they should be\n", Run("--check").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Columns_that_play_no_part_and_an_epoch_that_goes_through_rows_twice_are_said()
    {
        File.WriteAllText(_folder["more.jsonl"], """
            {"prompt": "Once", "completion": " upon", "id": 1, "system": "Be kind."}
            """);
        var (code, output, error) = Run(
            $"data.sources=[{{path: {_folder["pairs.jsonl"]}}}, {{path: {_folder["more.jsonl"]}}}]", "data.mixing=all_exhausted", "data.packing=false", "data.sources.1.weight=2", "--rows", "0");
        Assert.True(code == 0, error);
        Assert.Contains("more.jsonl: 1 row of the format prompt_completion, found from the rows; columns not used: id, system\n", error, StringComparison.Ordinal);
        // One source is gone through more than once to hold the weights: what is said of the epoch and of its rows is the same.
        var examples = Regex.Matches(error, @"(\d+) examples").Sum(match => int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));
        Assert.InRange(examples, 4, 20);
        Assert.Contains($"{examples} documents in {examples} rows", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_check_says_what_is_wrong_and_fails()
    {
        Assert.Equal(0, Run("--check").Code);
        Assert.Contains("Check: special tokens and the ends of answers are as they should be", Run("--check").Output, StringComparison.Ordinal);

        // A template that does not close turns: nothing teaches the model to stop.
        var open = Template("{% for m in messages %}{{ m.role }}:{{ m.content }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}");
        var (code, output, _) = Run("--check", "data.sources.0.path=" + _folder["chat.jsonl"], open);
        Assert.Equal(1, code);
        Assert.Contains("error: no assistant turn ends with a special token that is trained on: the model would not learn to stop\n  → ", output, StringComparison.Ordinal);
        Assert.Equal(0, Run("data.sources.0.path=" + _folder["chat.jsonl"], open).Code);
    }

    /// <summary>The template writes the name of the last speaker in front: at inference that is another one than in training.</summary>
    [Fact]
    public void A_check_finds_prompts_that_are_not_those_of_inference()
    {
        var shifty = Template("{{ messages[-1].role }} {% for m in messages %}{{ m.role }}:{% generation %}{{ m.content }}</s>{% endgeneration %}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}");
        var (code, output, error) = Run("--check", "data.sources.0.path=" + _folder["chat.jsonl"], shifty);
        Assert.True(code == 1, output + error);
        Assert.Contains("warning: before 1 of 1 assistant turns the template writes something else than the model will see at inference\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public void What_training_refuses_is_refused_in_the_same_words()
    {
        foreach (var setting in (string[])["data.sources.0.path=" + _folder["none.jsonl"], "data.eval.fraction=0.0000001", "data.sources.0.format=messages", "data.sources.0.path=" + _folder["chat.jsonl"]])
        {
            var (code, output, error) = Run("-q", setting);
            Assert.Equal((2, ""), (code, output));
            var refused = Assert.Throws<RequestException>(() => Finetune.Run(RunConfig.Load(_folder["run.yaml"], setting, "device=cpu"), force: false, Logger.None));
            Assert.Equal($"error: {refused.Message}\n", error);
        }
    }

    [Fact]
    public void A_page_holds_everything_and_text_is_no_markup()
    {
        Assert.Equal(0, Run("--html", _folder["page.html"], "-q").Code);
        var page = File.ReadAllText(_folder["page.html"]);
        Assert.Contains("<span class=\"t\" title=\"407\"> upon</span><span class=\"t s\" title=\"2\">&lt;/s&gt;</span>", page, StringComparison.Ordinal);
        Assert.Contains("<span class=\"s\" title=\"1\">&lt;s&gt;</span>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>\u001b", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("src=|href=|@import|url\\(", page);
        Assert.Contains("<p>2 documents in 1 row of up to 64 tokens", page, StringComparison.Ordinal);
    }

    /// <summary>Widths are powers of two, at most twelve bars; every document is in one.</summary>
    [Fact]
    public void The_histogram()
    {
        Assert.Equal([new LengthBin(1, 2, 1), new LengthBin(3, 4, 1), new LengthBin(5, 6, 0), new LengthBin(7, 8, 0), new LengthBin(9, 10, 0), new LengthBin(11, 12, 0), new LengthBin(13, 14, 2)],
            Preview.Bins([1, 3, 13, 14]));
        Assert.Equal([new LengthBin(1, 1, 2)], Preview.Bins([1, 1]));
        Assert.Empty(Preview.Bins([]));
    }

    public void Dispose() => _folder.Dispose();
}
