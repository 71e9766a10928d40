using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data.Sources;
using LlmTune.Tokenization;

namespace LlmTune.Data.Formats;

/// <summary>What the formats of conversations share: lists of turns, system texts, tools.</summary>
internal static class Turns
{
    /// <summary>The turns of a list, each read by <paramref name="read"/>.</summary>
    public static IEnumerable<Message> Read(Fields row, string part, Func<JsonElement, RowSettings, string, Message> read)
    {
        return Read(row.List(part), row.ColumnOf(part), row.Settings, read);
    }

    /// <summary>The same of a list that has been found. Turns that call functions, behind one another or behind a text, are one turn.</summary>
    public static IEnumerable<Message> Read(
        JsonElement list, string column, RowSettings settings, Func<JsonElement, RowSettings, string, Message> read)
    {
        List<Message> messages = [];
        var (roleKey, contentKey) = settings.TurnKeys ?? ("role", "content");
        foreach (var (i, given) in list.EnumerateArray().Index())
        {
            var where = $"'{column}', turn {i + 1}:";
            if (given.ValueKind != JsonValueKind.Object) throw new RowException($"{where} is {Kinds.Describe(given)}, expected an object with a role and a content");
            foreach (var turn in Exchanges.Expand(given).SelectMany(turn => ContentBlocks.Expand(turn, roleKey, contentKey, where)))
            {
                var message = read(turn, settings, where);
                if (messages is [.., { Role: "assistant" } before] && before.Train == message.Train && IsCall(turn, settings))
                    messages[^1] = Joined(before, message);
                else
                    messages.Add(message);
            }
        }
        return messages;
    }

    /// <summary>Whether a turn's role says that it calls functions.</summary>
    private static bool IsCall(JsonElement turn, RowSettings settings)
    {
        var key = settings.TurnKeys?.Role ?? (turn.TryGetProperty("from", out _) ? "from" : "role");
        return turn.TryGetProperty(key, out var role) && role.ValueKind == JsonValueKind.String
            && RoleNames.Find(role.GetString()!, settings, functionCalls: key == "from") == RoleNames.Call;
    }

    private static Message Joined(Message before, Message calls)
    {
        var fields = before.Fields?.DeepClone().AsObject() ?? [];
        var all = fields["tool_calls"] as JsonArray ?? [];
        foreach (var call in calls.Fields!["tool_calls"]!.AsArray()) all.Add(call!.DeepClone());
        if (all.Parent is null) fields["tool_calls"] = all;
        return before with { Fields = fields };
    }

    /// <summary>A turn as OpenAI writes it, or as ShareGPT does.</summary>
    public static Message Any(JsonElement turn, RowSettings settings, string where) =>
        settings.TurnKeys is not null || turn.TryGetProperty("from", out _)
            ? ShareGpt.Turn(turn, settings, where)
            : Messages.Turn(turn, settings, where);

    /// <summary>A conversation of the turns, with the row's system text before them and its tools; it must have something to learn.</summary>
    public static Example.Chat Chat(Fields row, IReadOnlyList<Message> turns)
    {
        if (SystemText(row) is { } system && turns[0].Role != "system") turns = [new Message("system", system), .. turns];
        var roles = row.Settings.TrainedRoles;
        if (!turns.Any(t => t.Train == true || roles.Contains(t.Role)))
            throw new RowException($"has no turn of the {(roles.Count == 1 ? "role" : "roles")} {string.Join(", ", roles)}: there is nothing to learn");
        return new Example.Chat(new Conversation(turns, Tools(row)) { Variables = Variables(row) });
    }

    /// <summary>The part of a conversation's row that has variables for the template, an object or JSON text of one.</summary>
    public static Part VariablesPart { get; } = new("chat_template_kwargs", false);

    /// <summary>Variables that the template sees with this row.</summary>
    public static JsonObject? Variables(Fields row)
    {
        var name = VariablesPart.Name;
        if (!row.TryGet(name, out var value)) return null;
        if (value.ValueKind == JsonValueKind.String)
        {
            if (string.IsNullOrWhiteSpace(value.GetString())) return null;
            value = Parse(value.GetString()!) ?? throw row.Wrong(name, value, "variables of the chat template: {\"enable_thinking\": false}");
        }
        if (value.ValueKind == JsonValueKind.Null) return null;
        if (value.ValueKind != JsonValueKind.Object) throw row.Wrong(name, value, "variables of the chat template: {\"enable_thinking\": false}");
        var variables = JsonObject.Create(value)!;
        if (TemplateVariables.Reserved.FirstOrDefault(variables.ContainsKey) is { } reserved)
            throw new RowException($"'{row.ColumnOf(name)}' holds {reserved}, which is the conversation's own");
        return variables.Count > 0 ? variables : null;
    }

    /// <summary>A system text beside the turns, which may be blocks of text; null where there is none.</summary>
    private static string? SystemText(Fields row) =>
        row.TryGet("system", out var given) && given.ValueKind == JsonValueKind.Array ? ContentBlocks.Text(given) ?? row.OptionalText("system") : row.OptionalText("system");

    /// <summary>Tools as a list or as JSON text of one; bare functions are wrapped as OpenAI has them.</summary>
    public static JsonArray? Tools(Fields row)
    {
        if (!row.TryGet("tools", out var value)) return null;
        if (value.ValueKind == JsonValueKind.String)
        {
            var text = value.GetString()!;
            if (string.IsNullOrWhiteSpace(text)) return null;
            value = Parse(text) ?? throw new RowException($"'{row.ColumnOf("tools")}' is a text that is not JSON, expected a list of tools");
        }
        if (value.ValueKind != JsonValueKind.Array) throw row.Wrong("tools", value, "a list of tools");
        if (value.GetArrayLength() == 0) return null;
        var tools = new JsonArray();
        foreach (var tool in value.EnumerateArray())
        {
            if (tool.ValueKind != JsonValueKind.Object)
                throw new RowException($"'{row.ColumnOf("tools")}' holds {Kinds.Describe(tool)}, expected descriptions of functions");
            var node = JsonObject.Create(tool)!;
            if (node.Remove("input_schema", out var schema)) node["parameters"] = schema;   // as Anthropic calls it
            tools.Add((JsonNode)(node.ContainsKey("function") || node.ContainsKey("type") ? node : new JsonObject { ["type"] = "function", ["function"] = node }));
        }
        return tools;
    }

    /// <summary>JSON text as a value; null if it is not JSON.</summary>
    public static JsonElement? Parse(string text)
    {
        try
        {
            return JsonElement.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The properties of a turn that are neither its role, its content nor about training: the template may know them.</summary>
    public static JsonObject? Others(JsonElement turn, ReadOnlySpan<string> taken)
    {
        JsonObject? others = null;
        foreach (var property in turn.EnumerateObject())
        {
            if (property.Value.ValueKind == JsonValueKind.Null || taken.Contains(property.Name)) continue;
            if (TurnWeight.IsKey(property.Name)) continue;
            (others ??= [])[property.Name] = Node(property.Value);
        }
        return others;
    }

    public static JsonNode? Node(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => JsonObject.Create(value),
        JsonValueKind.Array => JsonArray.Create(value),
        _ => JsonValue.Create(value),
    };
}
