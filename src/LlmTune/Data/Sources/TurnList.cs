using System.Text.Json;

namespace LlmTune.Data.Sources;

/// <summary>A conversation that stands alone, without a row around it: a list of turns.</summary>
internal static class TurnList
{
    private const string Column = "messages";

    /// <summary>Whether a value is a list of turns, not empty.</summary>
    public static bool Is(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 && value.EnumerateArray().All(IsTurn);

    /// <summary>Whether a value is a turn: an object with a role and what was said.</summary>
    public static bool IsTurn(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object
        && ((IsText(value, "role") && (value.TryGetProperty("content", out _) || value.TryGetProperty("tool_calls", out _)))
            || (IsText(value, "from") && value.TryGetProperty("value", out _)));

    /// <summary>The row of a conversation.</summary>
    public static JsonElement Row(IEnumerable<JsonElement> turns) => JsonSerializer.SerializeToElement(new Dictionary<string, IEnumerable<JsonElement>> { [Column] = turns });

    private static bool IsText(JsonElement value, string name) => value.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String;
}
