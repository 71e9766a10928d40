using System.Text.Json;

namespace LlmTune.Data.Formats;

/// <summary>Conversations as ms-swift writes them beside other forms: an object for each exchange, its names the roles (<c>human</c>, <c>assistant</c>).</summary>
internal static class Exchanges
{
    /// <summary>Whether an object is one: texts alone, each under the name of a role, an answer among them.</summary>
    public static bool Is(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object
        && value.EnumerateObject().All(part => part.Value.ValueKind == JsonValueKind.String && RoleNames.Find(part.Name) is "user" or "assistant" or "system")
        && value.EnumerateObject().Any(part => RoleNames.Find(part.Name) == "assistant");

    /// <summary>Its turns in ShareGPT's form; a turn of another form is itself.</summary>
    public static IEnumerable<JsonElement> Expand(JsonElement turn) => !Is(turn)
        ? [turn]
        : turn.EnumerateObject().Select(part => JsonSerializer.SerializeToElement(new Dictionary<string, string> { ["from"] = part.Name, ["value"] = part.Value.GetString()! }));
}
