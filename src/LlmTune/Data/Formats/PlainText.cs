using System.Text.Json;

namespace LlmTune.Data.Formats;

/// <summary>Documents: <c>text</c>, a text or a list of its lines.</summary>
internal static class PlainText
{
    public static RowFormat Format { get; } = new("text", [new Part("text", true, "content")], Fits, Read) { PromptPart = "text" };

    private static bool Fits(Fields row) =>
        row.Has("text") && (!row.TryGet("text", out var text) || text.ValueKind == JsonValueKind.String || IsLines(text));

    private static Example.Text Read(Fields row) =>
        row.TryGet("text", out var text) && row.Settings.Template is null && IsLines(text)
            ? new Example.Text(string.Join('\n', text.EnumerateArray().Select(line => line.GetString())))
            : new Example.Text(row.Text("text"));

    private static bool IsLines(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String);
}
