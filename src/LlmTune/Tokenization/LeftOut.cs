using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tokenization;

/// <summary>
/// What a template leaves out of conversations. A conversation of the same shape, with words for its texts that stand nowhere else, is
/// rendered once and the words are looked for; conversations of one shape share the result.
/// </summary>
internal sealed class LeftOut(ChatTemplate template)
{
    private const string Prefix = "zq";

    private readonly ConcurrentDictionary<string, IReadOnlyList<string>> _known = new(StringComparer.Ordinal);

    /// <summary>The parts of a conversation that are not written, none where the template refuses its like.</summary>
    public IReadOnlyList<string> Of(Conversation conversation) => _known.GetOrAdd(Shape(conversation), _ => Find(conversation));

    /// <summary>Everything that a template may decide by, but for the texts.</summary>
    private static string Shape(Conversation conversation)
    {
        var shape = new StringBuilder(16 * conversation.Messages.Count);
        shape.Append(conversation.Tools is { Count: > 0 } ? 't' : ' ').Append(conversation.Variables?.ToJsonString());
        foreach (var message in conversation.Messages)
        {
            shape.Append('\n').Append(message.Role).Append(message.Content switch { null => '0', "" => 'e', _ => 'c' });
            foreach (var (name, value) in message.Fields ?? [])
                shape.Append(' ').Append(name).Append(value is JsonArray list ? list.Count : value is JsonObject ? 'o' : 'v');
        }
        return shape.ToString();
    }

    private List<string> Find(Conversation conversation)
    {
        var words = new List<(string Part, string Word)>();
        var messages = conversation.Messages.Select((message, i) => Marked(message, $"{Prefix}{i}", words)).ToList();
        var tools = conversation.Tools;
        if (tools is { Count: > 0 })
        {
            tools = tools.DeepClone().AsArray();
            tools.Add((JsonNode)new JsonObject
            {
                ["type"] = "function",
                ["function"] = new JsonObject
                {
                    ["name"] = Prefix + "tool",
                    ["description"] = "",
                    ["parameters"] = new JsonObject { ["type"] = "object", ["properties"] = new JsonObject(), ["required"] = new JsonArray() },
                },
            });
            words.Insert(0, ("the tools", Prefix + "tool"));
        }
        try
        {
            var text = template.Render(conversation with { Messages = messages, Tools = tools }, addGenerationPrompt: false).Text;
            var parts = words.ToLookup(word => word.Part, word => text.Contains(word.Word, StringComparison.OrdinalIgnoreCase));
            // Templates drop the reasoning of earlier turns on purpose, so some of it is enough.
            return [.. parts.Where(part => part.Key == Reasoning ? !part.Contains(true) : part.Contains(false)).Select(part => part.Key)];
        }
        catch (TemplateException)
        {
            return [];
        }
    }

    private const string Reasoning = "the reasoning";

    /// <summary>A message with words for its texts.</summary>
    private static Message Marked(Message message, string word, List<(string Part, string Word)> words)
    {
        var fields = message.Fields?.DeepClone().AsObject();
        var hasCalls = MessageValues.HasCalls(message);
        var part = message.Role is "tool" or "ipython" or "function" ? "the results of tools"
            : message.Role == Turns.Assistant && hasCalls ? "the text beside calls of tools" : $"the turns of the role {message.Role}";
        string Word(string part, string kind)
        {
            words.Add((part, word + kind));
            return word + kind;
        }
        foreach (var name in MessageValues.ReasoningFields)
            if (fields?[name] is JsonValue) fields[name] = word + "reasoning";
        if (fields is not null && MessageValues.ReasoningFields.Any(name => fields[name] is JsonValue)) words.Add((Reasoning, word + "reasoning"));
        if (hasCalls)
        {
            foreach (var call in fields!["tool_calls"]!.AsArray().OfType<JsonObject>())
            {
                var function = call["function"] as JsonObject ?? call;
                if (function.ContainsKey("arguments")) function["arguments"] = new JsonObject { [Prefix + "key"] = Word("the calls of tools", $"call{words.Count}q") };
            }
        }
        if (fields?["content"] is JsonObject or JsonArray && message.Role is not ("user" or "system" or Turns.Assistant))
        {
            JsonObject result() => new() { [Prefix + "key"] = Word(part, "result") };
            fields["content"] = fields["content"] is JsonArray ? new JsonArray(result()) : result();
        }
        return message with { Content = string.IsNullOrWhiteSpace(message.Content) ? message.Content : Word(part, "text"), Fields = fields };
    }
}
