using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data.Sources;
using LlmTune.Tokenization;

namespace LlmTune.Data.Formats;

/// <summary>
/// Conversations as OpenAI writes them: <c>messages</c> of <c>role</c> and <c>content</c> (a text, null beside tool calls, or a list of
/// parts), with <c>tool_calls</c>, <c>weight</c> and whatever else the template knows; <c>tools</c> and <c>system</c> beside them.
/// </summary>
internal static class Messages
{
    public static RowFormat Format { get; } = new(
        "messages",
        [new Part("messages", true, "conversations", "conversation"), new Part("system", false, "system_prompt"), new Part("tools", false, "functions")],
        Fits,
        Read);

    private static bool Fits(Fields row)
    {
        if (!row.TryList("messages", out var list)) return false;
        return list[0].ValueKind == JsonValueKind.Object && list[0].TryGetProperty(row.Settings.TurnKeys?.Role ?? "role", out _);
    }

    private static Example.Chat Read(Fields row) => Turns.Chat(row, [.. Turns.Read(row, "messages", Turn)]);

    /// <summary>One message.</summary>
    public static Message Turn(JsonElement turn, RowSettings settings, string where)
    {
        var (roleKey, contentKey) = settings.TurnKeys ?? ("role", "content");
        if (!turn.TryGetProperty(roleKey, out var named) || named.ValueKind != JsonValueKind.String)
            throw new RowException($"{where} '{roleKey}' is {Kinds.Describe(named)}, expected the name of a role");
        var name = named.GetString()!;
        var role = RoleNames.Find(name, settings) ?? RoleNames.Unknown(where, name);
        if (role == RoleNames.Call) return ShareGpt.Turn(turn, settings with { TurnKeys = (roleKey, contentKey) }, where);
        var others = Turns.Others(turn, [roleKey, contentKey]);
        if (others is not null) OlderCall(others);
        if (others is not null) ObjectArguments(others);
        turn.TryGetProperty(contentKey, out var content);
        List<ContentPart> parts = [];
        var text = Content(content, ref others, parts, where, contentKey);
        return TurnWeight.Apply(new Message(role, text) { Fields = others, Parts = parts }, turn, settings.TrainedRoles, where);
    }

    /// <summary>A function_call of OpenAI's older form is a list of one tool call.</summary>
    private static void OlderCall(JsonObject others)
    {
        if (others["function_call"] is not JsonObject call || others.ContainsKey("tool_calls")) return;
        others.Remove("function_call");
        others["tool_calls"] = new JsonArray(new JsonObject { ["type"] = "function", ["function"] = call });
    }

    private static string? Content(JsonElement content, ref JsonObject? others, List<ContentPart> weights, string where, string key)
    {
        switch (content.ValueKind)
        {
            case JsonValueKind.String:
                return content.GetString();
            case JsonValueKind.Array:
                return Parts(content, ref others, weights, where);
            case JsonValueKind.Undefined or JsonValueKind.Null when others is not null && (others.ContainsKey("tool_calls") || others.ContainsKey("function_call")):
                return null;
            default:
                throw new RowException($"{where} '{key}' is {Kinds.Describe(content)}, expected a text (or tool_calls beside it)");
        }
    }

    /// <summary>Parts of text are joined; a part of reasoning becomes <c>reasoning_content</c>.</summary>
    /// <param name="weights">Gets what parts say of being trained on.</param>
    private static string Parts(JsonElement parts, ref JsonObject? others, List<ContentPart> weights, string where)
    {
        var text = new StringBuilder();
        foreach (var part in parts.EnumerateArray())
        {
            if (part.ValueKind == JsonValueKind.String)
            {
                text.Append(part.GetString());
                continue;
            }
            var type = part.ValueKind == JsonValueKind.Object && part.TryGetProperty("type", out var kind) ? kind.ToString() : null;
            if (type is not ("text" or "input_text" or "output_text" or "reasoning") || Value(part) is not { } value)
            {
                throw new RowException(
                    $"{where} a content part is of type {type ?? "none"}; only parts of type text are trained on: {{\"type\": \"text\", \"text\": \"…\"}}");
            }
            if (type == "reasoning")
            {
                (others ??= [])["reasoning_content"] = value;
                continue;
            }
            if (TurnWeight.OfPart(part, where) is { } weight && value.Length > 0) weights.Add(new ContentPart(text.Length, text.Length + value.Length, weight));
            text.Append(value);
        }
        return text.ToString();
    }

    private static string? Value(JsonElement part)
    {
        foreach (var name in (ReadOnlySpan<string>)["text", "value", "content"])
        {
            if (part.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String) return value.GetString();
        }
        return null;
    }

    /// <summary>OpenAI sends a call's arguments as JSON text; templates expect the object itself.</summary>
    private static void ObjectArguments(JsonObject fields)
    {
        if (fields["tool_calls"] is not JsonArray calls) return;
        foreach (var call in calls)
        {
            if (call?["function"] is not JsonObject function || function["arguments"] is not JsonValue value || !value.TryGetValue(out string? text)) continue;
            if (Turns.Parse(text) is { ValueKind: JsonValueKind.Object } arguments) function["arguments"] = JsonObject.Create(arguments);
        }
    }
}
