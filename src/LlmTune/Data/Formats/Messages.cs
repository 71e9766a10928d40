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
    /// <summary>What a message may hold in place of a content.</summary>
    private static readonly string[] Contentless = ["content", "tool_calls", "function_call", .. MessageValues.ReasoningFields];

    public static RowFormat Format { get; } = new(
        "messages",
        [new Part("messages", true, "conversations", "conversation"), new Part("system", false, "system_prompt"), new Part("tools", false, "functions"), Turns.VariablesPart],
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
        if (role == "function" && !settings.TrainedRoles.Contains(role)) role = "tool";   // OpenAI's older form, as function_call is
        if (role == RoleNames.Call) return ShareGpt.Turn(turn, settings with { TurnKeys = (roleKey, contentKey) }, where);
        var others = Turns.Others(turn, [roleKey, contentKey]);
        if (others is not null) ToolCalls.Normalize(others, where);
        if (others is { Count: 0 }) others = null;
        turn.TryGetProperty(contentKey, out var content);
        if (ToolCalls.Result(role, content) is { } result)
        {
            (others ??= [])["content"] = result;
            content = default;
        }
        List<ContentPart> parts = [];
        var text = Content(content, ref others, parts, where, contentKey);
        return TurnWeight.Apply(new Message(role, text) { Fields = others, Parts = parts }, turn, settings.TrainedRoles, where);
    }

    private static string? Content(JsonElement content, ref JsonObject? others, List<ContentPart> weights, string where, string key)
    {
        switch (content.ValueKind)
        {
            case JsonValueKind.String:
                return content.GetString();
            case JsonValueKind.Array:
                return Parts(content, ref others, weights, where);
            case JsonValueKind.Undefined or JsonValueKind.Null when others is not null && others.Any(other => Contentless.Contains(other.Key)):
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
}
