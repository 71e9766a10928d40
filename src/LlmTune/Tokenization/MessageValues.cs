using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tokenization;

/// <summary>
/// Messages as a template sees them, the way Transformers passes them on: keys that are null are left out, and reasoning stands under each
/// of its names. Calls of tools and their results take the form that the template writes properly.
/// </summary>
internal static class MessageValues
{
    /// <summary>Names of a turn's reasoning, the first that has one counts (<c>_alias_reasoning_fields</c> of Transformers 5.23).</summary>
    public static readonly IReadOnlyList<string> ReasoningFields = ["reasoning_content", "thinking", "reasoning"];

    private const string Content = "content", ToolCalls = "tool_calls";

    /// <param name="number">The message's number in its conversation, so that what is written of it is known.</param>
    public static PyDict Of(Message message, int number, CallForms forms)
    {
        var fields = message.Fields ?? [];
        var value = new PyDict(4 + fields.Count) { Mark = number };
        var reasoning = ReasoningFields.Select(name => fields[name]).FirstOrDefault(given => given is not null);
        if (reasoning is not null) value.Set("thinking", PyJson.Read(fields["thinking"] ?? reasoning));
        value.Set("role", message.Role);
        CallForm? form = HasCalls(message) ? forms.Of(message.Content) : null;
        if (fields[Content] is { } content) value.Set(Content, Result(message.Role, content, forms));
        else if (!string.IsNullOrEmpty(message.Content)) value.Set(Content, message.Content);
        else if (form?.Content == NoContent.Null) value.Set(Content, null);
        else if (form is null ? message.Content is not null : form.Value.Content == NoContent.Empty) value.Set(Content, "");
        foreach (var (name, field) in fields)
        {
            if (field is null || name == Content) continue;
            value.Set(name, name == ToolCalls && form is { } chosen ? Calls(field, chosen) : PyJson.Read(field));
        }
        if (reasoning is not null) value.Set(ReasoningFields[0], PyJson.Read(reasoning));
        return value;
    }

    public static bool HasCalls(Message message) => message.Fields?[ToolCalls] is JsonArray { Count: > 0 };

    /// <summary>Whether a turn's calls have arguments in texts that are not JSON objects.</summary>
    public static bool HasBrokenArguments(Message message) =>
        message.Fields?[ToolCalls] is JsonArray calls && calls.Any(call => ArgumentsOf(call) is JsonValue value && value.TryGetValue(out string? text) && Parse(text) is null);

    private static JsonNode? ArgumentsOf(JsonNode? call) => call is not JsonObject map ? null : map["function"] is JsonObject function ? function["arguments"] : map["arguments"];

    private static object? Result(string role, JsonNode content, CallForms forms)
    {
        var value = PyJson.Read(content);
        return role is "user" or "system" or Turns.Assistant || value is string || forms.TakesResult(value is List<object?>) ? value : PyJson.Write(value);
    }

    private static object? Calls(JsonNode field, CallForm form)
    {
        var calls = PyJson.Read(field);
        foreach (var call in (List<object?>)calls!)
        {
            if (call is not PyDict map) continue;
            var function = map.TryGet("function", out var inner) && inner is PyDict named ? named : map;
            if (!function.TryGet("arguments", out var arguments)) continue;
            if (form.TextArguments == true && arguments is PyDict) function.Set("arguments", PyJson.Write(arguments));
            else if (form.TextArguments == false && arguments is string text && Parse(text) is { } parsed) function.Set("arguments", parsed);
        }
        return calls;
    }

    /// <summary>JSON text of an object, which an empty text stands for too; null for any other text.</summary>
    private static PyDict? Parse(string text)
    {
        if (string.IsNullOrWhiteSpace(text)) return new PyDict();
        try
        {
            return PyJson.Read(JsonElement.Parse(text)) as PyDict;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;   // of the second kind: half of a surrogate pair as an escape
        }
    }
}
