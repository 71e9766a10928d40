using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data.Sources;

namespace LlmTune.Data.Formats;

/// <summary>A message's calls of tools, and their results, in the forms that rows have them in.</summary>
internal static class ToolCalls
{
    private const string Calls = "tool_calls", Function = "function", OlderCall = "function_call";

    /// <summary>What a list of parts of a content has as their types; a list with anything else is what the tool gave back.</summary>
    private static readonly string[] PartTypes = ["text", "input_text", "output_text", "reasoning", "image", "image_url", "audio", "input_audio", "video", "file"];

    /// <summary>
    /// Makes the calls a list of <c>{"type": "function", "function": {"name", "arguments"}}</c>: of JSON text, of a call alone, of OpenAI's
    /// older <c>function_call</c>, of calls without <c>function</c> around them. The arguments stay as they are.
    /// </summary>
    /// <param name="fields">What stands beside a message's role and content; changed in place.</param>
    /// <exception cref="RowException">The calls are none.</exception>
    public static void Normalize(JsonObject fields, string where)
    {
        if (fields[OlderCall] is JsonObject older && !fields.ContainsKey(Calls))
        {
            fields.Remove(OlderCall);
            fields[Calls] = new JsonArray(older.DeepClone());
        }
        if (fields[Calls] is not { } given) return;
        if (given is JsonValue value && value.TryGetValue(out string? text))
        {
            var parsed = string.IsNullOrWhiteSpace(text) ? default(JsonElement?)
                : Turns.Parse(text) ?? throw Wrong(where, $"'{Kinds.Shorten(text)}', which is not JSON");
            if (parsed is not { ValueKind: not JsonValueKind.Null } calls)
            {
                fields.Remove(Calls);
                return;
            }
            given = Turns.Node(calls)!;
        }
        var list = given switch
        {
            JsonArray array => [.. array],
            JsonObject single => (List<JsonNode?>)[single],
            _ => throw Wrong(where, given.ToJsonString()),
        };
        fields[Calls] = new JsonArray([.. list.Select(call => Wrapped(call, where))]);
    }

    /// <summary>The content of a tool's turn that is a value of its own rather than a text, or parts of one; null for any other.</summary>
    public static JsonNode? Result(string role, JsonElement content) => role is "tool" or "ipython" && IsResult(content) ? Turns.Node(content) : null;

    private static bool IsResult(JsonElement content) => content.ValueKind switch
    {
        JsonValueKind.Object or JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => true,
        JsonValueKind.Array => !content.EnumerateArray().All(IsPart) || content.GetArrayLength() == 0,
        _ => false,
    };

    private static bool IsPart(JsonElement part) =>
        part.ValueKind == JsonValueKind.Object && part.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && PartTypes.Contains(type.GetString());

    private static JsonObject Wrapped(JsonNode? call, string where)
    {
        if (call is not JsonObject given) throw Wrong(where, $"a list with {call?.ToJsonString() ?? "null"} in it");
        if (given.ContainsKey(Function) || !given.ContainsKey("name")) return (JsonObject)given.DeepClone();
        var wrapped = new JsonObject { ["type"] = Function };
        if (given["id"] is { } id) wrapped["id"] = id.DeepClone();
        wrapped[Function] = new JsonObject(given.Where(part => part.Key is not ("id" or "type")).Select(part => KeyValuePair.Create(part.Key, part.Value?.DeepClone())));
        return wrapped;
    }

    private static RowException Wrong(string where, string found) =>
        new($"{where} tool_calls is {found}, expected a list of calls: [{{\"type\": \"function\", \"function\": {{\"name\": \"…\", \"arguments\": {{…}}}}}}]");
}
