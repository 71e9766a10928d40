using System.Text.Json;

namespace LlmTune.Data.Formats;

/// <summary>
/// An answer that is good or bad by its <c>label</c> (true or false): <c>completion</c> with its prompt in any form, or a conversation
/// whose last turn is meant.
/// </summary>
internal static class Kto
{
    public static RowFormat Format { get; } = new(
        "kto",
        [
            new Part("completion", false, "response", "output", "answer"), new Part("label", true, "kto_tag", "desirable"),
            .. JudgedRows.PromptParts,
        ],
        Fits,
        Read)
    {
        PromptPart = "prompt",
        Judgement = Judgement.Label,
        OneOf = [["completion", "conversations"]],
    };

    private static bool Fits(Fields row)
    {
        if (!row.TryGet("label", out var label) || Verdict(label) is null) return false;
        return row.TryGet("completion", out var answer) ? answer.ValueKind == JsonValueKind.Array || JudgedRows.HasPrompt(row) : row.Has("conversations");
    }

    private static Example.Judged Read(Fields row)
    {
        var label = row.Get("label");
        var desirable = Verdict(label) ?? throw row.Wrong("label", label, "true or false (or 1 or 0)");
        return row.Has("completion")
            ? JudgedRows.Read(row, [JudgedRows.Answer(row, "completion")], desirable)
            : JudgedRows.ReadLastTurn(row, JudgedRows.Answer(row, "conversations"), desirable);
    }

    private static bool? Verdict(JsonElement label) => label.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number when label.TryGetDouble(out var number) && number is 0 or 1 => label.GetDouble() == 1,
        JsonValueKind.String => label.GetString()!.ToUpperInvariant() switch
        {
            "TRUE" or "1" => true,
            "FALSE" or "0" => false,
            _ => null,
        },
        _ => null,
    };
}
