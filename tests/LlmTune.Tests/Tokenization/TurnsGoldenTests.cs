using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <summary>Conversations as ids with their loss masks, against TRL's SFTTrainer; and the equality of prompts over real templates and vocabularies.</summary>
public class TurnsGoldenTests
{
    private const string Data = "LLMTUNE_DATA";

    /// <summary>Rows of messages and of prompt and completion: TRL masks by {% generation %} (assistant_only_loss) or everything before the completion.</summary>
    [Fact]
    public void Ids_and_masks_are_those_of_TRL()
    {
        var compared = 0;
        foreach (var (folder, variant) in Golden.Cases("trl").SelectMany(row => Prepared(row.Data).Select(variant => (row.Data, variant))))
        {
            var rows = variant.GetProperty("dataset").EnumerateArray().ToList();
            var options = variant.GetProperty("options");
            if (!rows.TrueForAll(r => IsConversation(r)) || options.GetProperty("packing").GetBoolean() || rows.Count != variant.GetProperty("prepared").GetArrayLength()) continue;
            var tokenizer = HfTokenizer.Load(Path.Combine(folder, variant.GetProperty("tokenizer").GetString()!));
            var template = ChatTemplate.Require(tokenizer, tokenizer.Folder);
            foreach (var (row, expected) in rows.Zip(variant.GetProperty("prepared").EnumerateArray()))
            {
                var (conversation, prompt) = Read(row);
                var kwargs = row.TryGetProperty("chat_template_kwargs", out var given) ? JsonObject.Create(given)! : [];
                var used = new ChatTemplate(template.Source, template.Origin, tokenizer) { Variables = kwargs };
                var rendered = used.ForTraining(conversation, tokenizer);
                if (options.GetProperty("max_length") is { ValueKind: JsonValueKind.Number } limit && rendered.Ids.Length > limit.GetInt32()) continue;   // cut
                Assert.Equal(Numbers(expected, "input_ids"), rendered.Ids);
                var labels = Numbers(expected, "labels");
                if (!options.GetProperty("assistant_only_loss").GetBoolean()) continue;
                var trained = new bool[rendered.Ids.Length];
                var masked = prompt is null || options.GetProperty("completion_only_loss").ValueKind == JsonValueKind.False;
                foreach (var turn in rendered.Turns.Where(t => t.Role == "assistant" && (masked || t.Message >= prompt))) trained.AsSpan(turn.Start..turn.End).Fill(true);
                Assert.Equal(labels, rendered.Ids.Select((id, i) => trained[i] ? id : -100));
                compared++;
            }
        }
        if (compared == 0) Assert.Skip("no case has rows with masks of assistants' turns");
    }

    /// <summary>The variants of a case about rows prepared for supervised fine-tuning.</summary>
    private static IEnumerable<JsonElement> Prepared(string folder) =>
        Golden.Read(folder).TryGetProperty("variants", out var variants) ? variants.EnumerateArray().Where(v => v.TryGetProperty("prepared", out _)) : [];

    /// <summary>
    /// Every template over every conversation that it renders, with real vocabularies: ids are those of the whole text, or spell the same text
    /// where a token was cut; the prompt of every turn that is called exact is what inference gets; turns are in order and do not overlap.
    /// </summary>
    [Fact]
    public void Prompts_of_real_templates_are_those_of_inference()
    {
        var tokenizers = new[] { "qwen2.5", "llama3", "llama2", "gpt2" }.Select(t => HfTokenizer.Load(External(Data, $"tokenizers/{t}"))).ToList();
        var (turns, exact, problems) = (0, 0, new List<string>());
        foreach (var (file, cases) in Templates.TemplateGoldenTests.Templates.SelectMany(row => TemplatesOf(row.Data)))
        {
            foreach (var (name, value) in cases)
            {
                var conversation = Read(value!);
                foreach (var tokenizer in tokenizers)
                {
                    var template = new ChatTemplate(File.ReadAllText(file), Path.GetFileName(file), tokenizer);
                    var what = $"{Path.GetFileName(file)}, {name}, {Path.GetFileName(tokenizer.Folder)}";
                    RenderedConversation rendered;
                    string text;
                    try
                    {
                        text = template.Render(conversation, false).Text;
                        rendered = template.ForTraining(conversation, tokenizer);
                    }
                    catch (LlmTune.Tokenization.Templates.TemplateException)
                    {
                        continue;
                    }
                    catch (RequestException e)
                    {
                        problems.Add($"{what}: {e.Message}");
                        continue;
                    }
                    if (string.Concat(tokenizer.Encode(text).Select(tokenizer.Token)) != string.Concat(rendered.Ids.Select(tokenizer.Token))) problems.Add($"{what}: the ids spell another text");
                    var end = 0;
                    foreach (var turn in rendered.Turns)
                    {
                        if (turn.Start < end || turn.End < turn.Start || turn.End > rendered.Ids.Length) problems.Add($"{what}: turn {turn} begins before {end} or ends outside");
                        end = turn.End;
                        if (turn.Role != "assistant") continue;
                        turns++;
                        if (!turn.PromptIsExact) continue;
                        exact++;
                        var prompt = template.ForInference(conversation with { Messages = [.. conversation.Messages.Take(turn.Message)] }, tokenizer);
                        if (!rendered.Ids.AsSpan(0, Math.Min(prompt.Length, rendered.Ids.Length)).SequenceEqual(prompt)) problems.Add($"{what}: the prompt of message {turn.Message} differs from inference");
                    }
                }
            }
        }
        Assert.True(problems.Count == 0, string.Join("\n", problems.Take(40)));
        Assert.True(turns > 0 && exact > 0.7 * turns, $"{exact} of {turns} prompts are exact");
        TestContext.Current.TestOutputHelper?.WriteLine($"{exact} of {turns} prompts are exact");
    }

    /// <summary>
    /// What the model writes by the slow definition, between the prompt that it would see and the end of the conversation that ends there, where
    /// the whole begins with both; the one template that opens a next turn, asked or not, has that taken off.
    /// </summary>
    [Theory]
    [MemberData(nameof(Templates.TemplateGoldenTests.Templates), MemberType = typeof(Templates.TemplateGoldenTests))]
    public void Turns_of_every_template_are_what_rendering_every_beginning_gives(string folder)
    {
        const string always = "<|start_header_id|>assistant<|end_header_id|>\n\n";
        var compared = 0;
        foreach (var (file, cases) in TemplatesOf(folder))
        {
            var template = new ChatTemplate(File.ReadAllText(file), Path.GetFileName(file), Tokenizers.Qwen);
            foreach (var (label, value) in cases)
            {
                var conversation = Read(value!);
                if (Slow(template, conversation, conversation.Messages.Count, false) is not { } text) continue;
                var whole = new RenderedWhole(template, conversation, addGenerationPrompt: false);
                if (whole.MarksGeneration) continue;   // compared with TRL's masks
                var opens = !template.Source.Contains("add_generation_prompt", StringComparison.Ordinal) && text.EndsWith(always, StringComparison.Ordinal);
                var turns = Turns.Find(whole, out var opening);
                Assert.True(opening == (opens ? always.Length : 0), $"{template.Origin}, {label}: {opening} characters open a next turn");
                foreach (var turn in turns.Where(t => t.Role == "assistant"))
                {
                    if (Slow(template, conversation, turn.Message, true) is not { } prompt || Slow(template, conversation, turn.Message + 1, false) is not { } ended) continue;
                    if (opens) ended = ended[..^always.Length];
                    if (!text.StartsWith(prompt, StringComparison.Ordinal) || !text.StartsWith(ended, StringComparison.Ordinal)) continue;
                    compared++;
                    Assert.True(text[turn.Start..turn.End] == ended[prompt.Length..], $"{template.Origin}, {label}: message {turn.Message} is\n{text[turn.Start..turn.End]}\ninstead of\n{ended[prompt.Length..]}");
                }
            }
        }
        Assert.True(compared > 0);

        static string? Slow(ChatTemplate template, Conversation conversation, int messages, bool prompt)
        {
            try
            {
                return template.Render(conversation with { Messages = [.. conversation.Messages.Take(messages)] }, prompt).Text;
            }
            catch (LlmTune.Tokenization.Templates.TemplateException)
            {
                return null;
            }
        }
    }

    /// <summary>TRL marks in a variant of a template what its model writes: the plain template's turns are the same text.</summary>
    [Theory]
    [InlineData("lct-Llama-3.jinja", "trl-llama3_training.jinja")]
    [InlineData("lc-Qwen-Qwen2.5-7B-Instruct.jinja", "trl-qwen2_5_training.jinja")]
    [InlineData("lct-google-gemma-7b-it.jinja", "trl-gemma_training.jinja")]
    public void Turns_are_those_that_TRL_marks(string plain, string marked)
    {
        var all = Templates.TemplateGoldenTests.Templates.SelectMany(row => TemplatesOf(row.Data)).ToLookup(t => Path.GetFileName(t.File));
        if (!all.Contains(plain) || !all.Contains(marked)) Assert.Skip($"{plain} and {marked} are not among the cases");
        var compared = 0;
        foreach (var (label, value) in all[plain].First().Conversations)
        {
            var conversation = Read(value!);
            if (conversation.Messages[^1].Role != "assistant") continue;
            string[]? Written(string file)
            {
                var template = new ChatTemplate(File.ReadAllText(all[file].First().File), file, Tokenizers.Qwen) { Variables = new JsonObject { ["bos_token"] = "<s>", ["eos_token"] = "</s>" } };
                try
                {
                    var whole = new RenderedWhole(template, conversation, addGenerationPrompt: false);
                    // Line breaks around a turn are marked otherwise than where nothing is marked.
                    return [.. Turns.Find(whole).Where(t => t.Role == "assistant").Select(t => whole.Text[t.Start..t.End].Trim('\n'))];
                }
                catch (LlmTune.Tokenization.Templates.TemplateException)
                {
                    return null;
                }
            }
            if (Written(plain) is not { } got || Written(marked) is not { } expected) continue;
            compared++;
            Assert.True(expected.SequenceEqual(got), $"{label}: {string.Join('|', got)} instead of {string.Join('|', expected)}");
        }
        Assert.True(compared > 0);
    }

    /// <summary>The files of a case about templates, with the conversations that they render.</summary>
    internal static IEnumerable<(string File, JsonObject Conversations)> TemplatesOf(string folder)
    {
        var golden = Golden.Read(folder);
        var conversations = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, golden.GetProperty("conversations").GetString()!)))!["cases"]!.AsObject();
        return golden.GetProperty("templates").EnumerateObject().Select(template => (Path.Combine(folder, template.Value.GetString()!), conversations));
    }

    internal static string External(string variable, string path)
    {
        if (Environment.GetEnvironmentVariable(variable) is not { Length: > 0 } root) Assert.Skip($"{variable} is not set");
        var folder = Path.Combine(Environment.GetEnvironmentVariable(variable)!, path);
        if (!Directory.Exists(folder)) Assert.Skip($"{folder} is not there");
        return folder;
    }

    private static bool IsConversation(JsonElement row) => row.TryGetProperty("messages", out _)
        || (row.TryGetProperty("prompt", out var prompt) && prompt.ValueKind == JsonValueKind.Array);

    /// <summary>The conversation, and the number of messages of the prompt where there is one.</summary>
    private static (Conversation, int?) Read(JsonElement row)
    {
        JsonNode Node(string name) => JsonNode.Parse(row.GetProperty(name).GetRawText())!;
        JsonArray? tools = row.TryGetProperty("tools", out var list) ? (JsonArray)JsonNode.Parse(list.ValueKind == JsonValueKind.String ? list.GetString()! : list.GetRawText())! : null;
        if (row.TryGetProperty("messages", out _)) return (new Conversation([.. Node("messages").AsArray().Select(m => ReadMessage(m!))], tools), null);
        var prompt = Node("prompt").AsArray().Select(m => ReadMessage(m!)).ToList();
        return (new Conversation([.. prompt, .. Node("completion").AsArray().Select(m => ReadMessage(m!))], tools), prompt.Count);
    }

    internal static Conversation Read(JsonNode value) => new([.. value["messages"]!.AsArray().Select(m => ReadMessage(m!))], value["tools"]?.DeepClone() as JsonArray);

    private static Message ReadMessage(JsonNode node)
    {
        var fields = (JsonObject)node.DeepClone();
        var role = fields["role"]!.GetValue<string>();
        var content = fields["content"] is JsonValue text ? text.GetValue<string>() : null;
        fields.Remove("role");
        if (fields["content"] is not JsonArray) fields.Remove("content");
        return new Message(role, content) { Fields = fields };
    }

    private static int[] Numbers(JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(n => n.GetInt32())];
}
