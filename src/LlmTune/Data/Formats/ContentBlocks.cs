using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmTune.Data.Formats;

/// <summary>
/// Turns as Anthropic writes them, whose content is a list of blocks: text, thinking, tool_use (a call), tool_result (its result, in a turn
/// of the user). They become turns of OpenAI's form, a result one of its own.
/// </summary>
internal static class ContentBlocks
{
    /// <summary>The turns that a turn is: itself where its content is none of these blocks.</summary>
    /// <param name="roleKey">What the turn calls its role.</param>
    /// <param name="contentKey">And its content.</param>
    public static IEnumerable<JsonElement> Expand(JsonElement turn, string roleKey, string contentKey, string where)
    {
        if (!turn.TryGetProperty(contentKey, out var content) || content.ValueKind != JsonValueKind.Array || !content.EnumerateArray().Any(IsBlock)) return [turn];
        List<JsonNode> results = [];
        JsonArray calls = [], rest = [];
        List<string> thoughts = [];
        foreach (var block in content.EnumerateArray())
        {
            switch (TypeOf(block))
            {
                case "tool_result":
                    results.Add(Result(block, roleKey, contentKey));
                    break;
                case "tool_use":
                    calls.Add((JsonNode)Call(block, where));
                    break;
                case "thinking":
                    if (block.TryGetProperty("thinking", out var thought) && thought.ValueKind == JsonValueKind.String) thoughts.Add(thought.GetString()!);
                    break;
                case "redacted_thinking":
                    break;
                default:
                    rest.Add(Turns.Node(block));
                    break;
            }
        }
        var own = JsonObject.Create(turn)!;
        own[contentKey] = rest.Count > 0 ? rest : null;
        if (calls.Count > 0) own["tool_calls"] = calls;
        if (thoughts.Count > 0) own["reasoning_content"] = string.Join('\n', thoughts);
        if (rest.Count > 0 || calls.Count > 0 || results.Count == 0) results.Add(own);
        return results.Select(node => JsonSerializer.SerializeToElement(node));
    }

    /// <summary>Blocks of text, which a system prompt may be too, as one text; null where it is anything else.</summary>
    public static string? Text(JsonElement blocks)
    {
        if (blocks.ValueKind == JsonValueKind.String) return blocks.GetString();
        if (blocks.ValueKind != JsonValueKind.Array) return null;
        List<string> texts = [];
        foreach (var block in blocks.EnumerateArray())
        {
            if (TypeOf(block) != "text" || !block.TryGetProperty("text", out var text) || text.ValueKind != JsonValueKind.String) return null;
            texts.Add(text.GetString()!);
        }
        return string.Concat(texts);
    }

    private static bool IsBlock(JsonElement block) => TypeOf(block) is "tool_use" or "tool_result" or "thinking" or "redacted_thinking";

    private static string? TypeOf(JsonElement block) =>
        block.ValueKind == JsonValueKind.Object && block.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String ? type.GetString() : null;

    private static JsonObject Call(JsonElement block, string where)
    {
        if (!block.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String)
            throw new RowException($"{where} a block of type tool_use has no name, expected {{\"type\": \"tool_use\", \"name\": \"…\", \"input\": {{…}}}}");
        var call = new JsonObject
        {
            ["type"] = "function",
            ["function"] = new JsonObject
            {
                ["name"] = name.GetString(),
                ["arguments"] = block.TryGetProperty("input", out var input) ? Turns.Node(input) : new JsonObject(),
            },
        };
        if (block.TryGetProperty("id", out var id)) call["id"] = Turns.Node(id);
        return call;
    }

    private static JsonObject Result(JsonElement block, string roleKey, string contentKey)
    {
        block.TryGetProperty("content", out var content);
        var result = new JsonObject { [roleKey] = "tool", [contentKey] = Text(content) ?? (content.ValueKind == JsonValueKind.Undefined ? "" : content.GetRawText()) };
        if (block.TryGetProperty("tool_use_id", out var id)) result["tool_call_id"] = Turns.Node(id);
        foreach (var more in block.EnumerateObject().Where(property => property.Name is not ("type" or "tool_use_id" or "content"))) result[more.Name] = Turns.Node(more.Value);
        return result;
    }
}
