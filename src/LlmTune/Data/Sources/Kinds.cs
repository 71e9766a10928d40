using System.Text.Json;

namespace LlmTune.Data.Sources;

/// <summary>Values in words, for messages.</summary>
internal static class Kinds
{
    public static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Undefined => "missing",
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => value.GetArrayLength() == 0 ? "an empty list" : "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => $"the number {Shorten(value.GetRawText())}",
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => "null",
    };

    public static string Shorten(string text, int length = 40) => text.Length <= length ? text : text[..length] + "…";
}
