using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data.Sources;
using LlmTune.Tokenization;

namespace LlmTune.Data.Formats;

/// <summary>
/// Conversations of <c>from</c> and <c>value</c> with ShareGPT's many names of roles; calls of functions and their results become tool
/// calls and tool turns; <c>tools</c> is JSON text or a list, <c>system</c> a text beside them. Turns may also stand in pairs (<see cref="Exchanges"/>).
/// </summary>
internal static class ShareGpt
{
    public static RowFormat Format { get; } = new(
        "sharegpt",
        [new Part("conversations", true, "messages", "conversation"), new Part("system", false, "system_prompt"), new Part("tools", false, "functions"), Turns.VariablesPart],
        Fits,
        Read);

    private static bool Fits(Fields row)
    {
        if (!row.TryList("conversations", out var list)) return false;
        return list[0].ValueKind == JsonValueKind.Object && (list[0].TryGetProperty(row.Settings.TurnKeys?.Role ?? "from", out _) || Exchanges.Is(list[0]));
    }

    private static Example.Chat Read(Fields row) => Turns.Chat(row, [.. Turns.Read(row, "conversations", Turn)]);

    public static Message Turn(JsonElement turn, RowSettings settings, string where)
    {
        var (roleKey, contentKey) = settings.TurnKeys ?? ("from", "value");
        if (!turn.TryGetProperty(roleKey, out var named) || named.ValueKind != JsonValueKind.String)
            throw new RowException($"{where} '{roleKey}' is {Kinds.Describe(named)}, expected the name of a role");
        var name = named.GetString()!;
        var role = RoleNames.Find(name, settings, functionCalls: true) ?? RoleNames.Unknown(where, name);
        turn.TryGetProperty(contentKey, out var content);
        var others = Turns.Others(turn, [roleKey, contentKey]);
        if (ToolCalls.Result(role, content) is { } result)
        {
            (others ??= [])["content"] = result;
            return TurnWeight.Apply(new Message(role, null) { Fields = others }, turn, settings.TrainedRoles, where);
        }
        if (content.ValueKind != JsonValueKind.String) throw new RowException($"{where} '{contentKey}' is {Kinds.Describe(content)}, expected a text");
        var text = content.GetString()!;
        if (role != RoleNames.Call) return TurnWeight.Apply(new Message(role, text) { Fields = others }, turn, settings.TrainedRoles, where);
        (others ??= [])["tool_calls"] = Calls(text, where);
        return TurnWeight.Apply(new Message("assistant", null) { Fields = others }, turn, settings.TrainedRoles, where);
    }

    private static JsonArray Calls(string text, string where)
    {
        var value = Turns.Parse(text);
        var calls = value is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray().ToArray() : value is { } single ? [single] : [];
        var nodes = new JsonArray();
        foreach (var call in calls)
        {
            if (call.ValueKind != JsonValueKind.Object || !call.TryGetProperty("name", out var name) || !call.TryGetProperty("arguments", out var arguments))
                break;
            nodes.Add((JsonNode)new JsonObject
            {
                ["type"] = "function",
                ["function"] = new JsonObject { ["name"] = name.ToString(), ["arguments"] = Turns.Node(arguments) },
            });
        }
        return nodes.Count > 0 && nodes.Count == calls.Length
            ? nodes
            : throw new RowException($"{where} calls a function by '{Kinds.Shorten(text)}', expected JSON: {{\"name\": \"…\", \"arguments\": {{…}}}}");
    }
}
