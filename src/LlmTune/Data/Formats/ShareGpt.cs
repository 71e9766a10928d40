using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data.Sources;
using LlmTune.Tokenization;

namespace LlmTune.Data.Formats;

/// <summary>
/// Conversations of <c>from</c> and <c>value</c> with ShareGPT's many names of roles; calls of functions and their results become tool
/// calls and tool turns; <c>tools</c> is JSON text or a list, <c>system</c> a text beside them.
/// </summary>
internal static class ShareGpt
{
    private static readonly Dictionary<string, string> Roles = new(StringComparer.OrdinalIgnoreCase)
    {
        ["human"] = "user",
        ["user"] = "user",
        ["gpt"] = "assistant",
        ["assistant"] = "assistant",
        ["chatgpt"] = "assistant",
        ["bing"] = "assistant",
        ["bard"] = "assistant",
        ["model"] = "assistant",
        ["bot"] = "assistant",
        ["system"] = "system",
        ["observation"] = "tool",
        ["tool"] = "tool",
        ["function_response"] = "tool",
        ["tool_response"] = "tool",
        ["function_call"] = Call,
        ["tool_call"] = Call,
        ["function"] = Call,
    };

    /// <summary>A turn that calls functions: its text is JSON with a name and arguments, or a list of such.</summary>
    private const string Call = "function_call";

    /// <summary>The role that a name stands for; null for one that is not known.</summary>
    public static string? RoleOf(string name) => Roles.GetValueOrDefault(name);

    public static RowFormat Format { get; } = new(
        "sharegpt",
        [new Part("conversations", true, "messages", "conversation"), new Part("system", false, "system_prompt"), new Part("tools", false, "functions")],
        Fits,
        Read);

    private static bool Fits(Fields row)
    {
        if (!row.TryGet("conversations", out var list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0) return false;
        return list[0].ValueKind == JsonValueKind.Object && list[0].TryGetProperty(row.Settings.TurnKeys?.Role ?? "from", out _);
    }

    private static Example.Chat Read(Fields row) => Turns.Chat(row, [.. Turns.Read(row, "conversations", Turn)]);

    public static Message Turn(JsonElement turn, RowSettings settings, string where)
    {
        var (roleKey, contentKey) = settings.TurnKeys ?? ("from", "value");
        if (!turn.TryGetProperty(roleKey, out var named) || named.ValueKind != JsonValueKind.String)
            throw new RowException($"{where} '{roleKey}' is {Kinds.Describe(named)}, expected the name of a role");
        var name = named.GetString()!;
        var role = settings.Roles.GetValueOrDefault(name) ?? Roles.GetValueOrDefault(name) ?? (settings.TrainedRoles.Contains(name) ? name : null);
        if (role is null)
            throw new RowException($"{where} the role '{name}' is not known; expected {string.Join(", ", Roles.Keys)}, or one of roles_to_train");
        if (!turn.TryGetProperty(contentKey, out var content) || content.ValueKind != JsonValueKind.String)
            throw new RowException($"{where} '{contentKey}' is {Kinds.Describe(content)}, expected a text");
        var text = content.GetString()!;
        var others = Turns.Others(turn, [roleKey, contentKey]);
        var train = Turns.Train(turn, where);
        if (role != Call) return new Message(role, text) { Fields = others, Train = train };
        (others ??= [])["tool_calls"] = Calls(text, where);
        return new Message("assistant", null) { Fields = others, Train = train };
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
            var given = arguments.ValueKind == JsonValueKind.String ? Turns.Parse(arguments.GetString()!) ?? arguments : arguments;
            nodes.Add((JsonNode)new JsonObject
            {
                ["type"] = "function",
                ["function"] = new JsonObject { ["name"] = name.ToString(), ["arguments"] = Turns.Node(given) },
            });
        }
        return nodes.Count > 0 && nodes.Count == calls.Length
            ? nodes
            : throw new RowException($"{where} calls a function by '{Kinds.Shorten(text)}', expected JSON: {{\"name\": \"…\", \"arguments\": {{…}}}}");
    }
}
