using System.Text.Json;

namespace LlmTune.Data.Formats;

/// <summary>
/// <c>prompt</c> and <c>completion</c>: two texts, which are not templated, or two lists of messages (the second may be a single one),
/// which are one conversation whose prompt is not trained on. Texts called <c>prompt</c> and <c>response</c> are left to
/// <see cref="QuestionAnswer"/> where the model has a chat template.
/// </summary>
internal static class PromptCompletion
{
    public static RowFormat Format { get; } = new(
        "prompt_completion", [new Part("prompt", true), new Part("completion", true, "response"), new Part("tools", false, "functions"), Turns.VariablesPart], Fits, Read)
    {
        PromptPart = "prompt",
    };

    private static bool Fits(Fields row)
    {
        if (!row.Has("prompt") || !row.TryGet("completion", out var completion)) return false;
        var kind = row.Settings.Template is null && row.TryGet("prompt", out var prompt) ? prompt.ValueKind : JsonValueKind.String;
        return completion.ValueKind switch
        {
            JsonValueKind.String => kind == JsonValueKind.String && !(row.Settings.HasTemplate && IsResponse(row)),
            JsonValueKind.Array or JsonValueKind.Object => kind == JsonValueKind.Array,
            _ => false,
        };
    }

    /// <summary>Whether the completion is turns, not a text.</summary>
    public static bool IsConversation(Fields row) => row.TryGet("completion", out var completion) && completion.ValueKind is JsonValueKind.Array or JsonValueKind.Object;

    private static bool IsResponse(Fields row) =>
        !row.Settings.Columns.ContainsKey("completion") && !row.ColumnOf("completion").Trim().Equals("completion", StringComparison.OrdinalIgnoreCase);

    private static Example Read(Fields row)
    {
        var completion = row.Get("completion");
        if (!IsConversation(row)) return new Example.PromptCompletion(row.Text("prompt"), row.Text("completion"));
        var prompt = Turns.Read(row, "prompt", Turns.Any).Select(m => row.Settings.TrainOnPrompt ? m : m with { Train = false });
        var answer = completion.ValueKind == JsonValueKind.Object
            ? [Turns.Any(completion, row.Settings, $"'{row.ColumnOf("completion")}':")]
            : Turns.Read(row, "completion", Turns.Any);
        return Turns.Chat(row, [.. prompt, .. answer]);
    }
}
