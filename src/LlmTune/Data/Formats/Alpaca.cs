using System.Text.Json;
using LlmTune.Data.Sources;
using LlmTune.Tokenization;

namespace LlmTune.Data.Formats;

/// <summary>
/// <c>instruction</c>, <c>input</c>, <c>output</c>, with <c>system</c> and <c>history</c> (pairs of earlier instructions and answers) where
/// they are: a conversation. Instruction and input are joined by a line break, as LLaMA-Factory does.
/// </summary>
internal static class Alpaca
{
    public static RowFormat Format { get; } = new(
        "alpaca",
        [
            new Part("instruction", true), new Part("input", false, "context"), new Part("output", true, "response"),
            new Part("system", false, "system_prompt"), new Part("history", false), Turns.VariablesPart,
        ],
        Fits,
        Read)
    {
        PromptPart = "instruction",
    };

    private static bool Fits(Fields row) => row.Has("instruction") && row.TryGet("output", out var output) && output.ValueKind == JsonValueKind.String;

    private static Example.Chat Read(Fields row) => Turns.Chat(row, [.. Prompt(row), new Message("assistant", row.Text("output"))]);

    /// <summary>The turns before the answer.</summary>
    public static IEnumerable<Message> Prompt(Fields row)
    {
        var instruction = row.Text("instruction");
        var input = row.Settings.Template is null ? row.OptionalText("input") : null;
        var prompt = (instruction.Length, input) switch
        {
            (_, null) => instruction,
            (0, _) => input,
            _ => $"{instruction}\n{input}",
        };
        if (prompt.Length == 0) throw new RowException($"'{row.ColumnOf("instruction")}' and '{row.ColumnOf("input")}' are both empty");
        return [.. History(row), new Message("user", prompt)];
    }

    /// <summary>The turns before the prompt: pairs of earlier prompts and answers.</summary>
    public static IEnumerable<Message> History(Fields row)
    {
        if (!row.TryGet("history", out var history)) yield break;
        if (history.ValueKind != JsonValueKind.Array) throw row.Wrong("history", history, "a list of pairs of texts");
        foreach (var pair in history.EnumerateArray())
        {
            if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2 || pair.EnumerateArray().Any(v => v.ValueKind != JsonValueKind.String))
                throw new RowException($"'{row.ColumnOf("history")}' holds {Kinds.Describe(pair)}, expected pairs of texts [instruction, answer]");
            yield return new Message("user", pair[0].GetString());
            yield return new Message("assistant", pair[1].GetString());
        }
    }
}
