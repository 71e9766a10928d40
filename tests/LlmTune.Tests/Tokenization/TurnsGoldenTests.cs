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
