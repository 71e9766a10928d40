using System.Text.Json;

namespace LlmTune.Data.Formats;

/// <summary>
/// A better and a worse answer to one prompt: <c>chosen</c> and <c>rejected</c>, texts or turns, with their prompt in any form or, as in
/// hh-rlhf, with a prompt that both begin with.
/// </summary>
internal static class Preference
{
    public static RowFormat Format { get; } = new(
        "preference", [new Part("chosen", true, "response_j"), new Part("rejected", true, "response_k"), .. JudgedRows.PromptParts], Fits, Read)
    {
        PromptPart = "prompt",
        Judgement = Judgement.Comparison,
    };

    private static bool Fits(Fields row) => IsAnswer(row, "chosen") && IsAnswer(row, "rejected");

    private static bool IsAnswer(Fields row, string part) =>
        row.TryGet(part, out var value) && value.ValueKind is JsonValueKind.String or JsonValueKind.Array or JsonValueKind.Object;

    private static Example.Judged Read(Fields row) =>
        JudgedRows.Read(row, [JudgedRows.Answer(row, "chosen"), JudgedRows.Answer(row, "rejected")]);
}
