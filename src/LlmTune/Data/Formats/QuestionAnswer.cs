using System.Text.Json;
using LlmTune.Tokenization;

namespace LlmTune.Data.Formats;

/// <summary>
/// <c>question</c> and <c>answer</c>, or another pair of names for the two, perhaps a <c>system</c> text and a <c>history</c>: a conversation.
/// </summary>
internal static class QuestionAnswer
{
    public static RowFormat Format { get; } = new(
        "question_answer",
        [
            new Part("question", true, "query", "prompt", "input", "user", "human", "problem", "q"),
            new Part("answer", true, "response", "output", "completion", "assistant", "gpt", "bot", "reply", "solution", "a"),
            new Part("system", false, "system_prompt"),
            new Part("history", false),
            Turns.VariablesPart,
        ],
        Fits,
        Read)
    {
        PromptPart = "question",
    };

    private static bool Fits(Fields row) => row.Has("question") && row.TryGet("answer", out var answer) && answer.ValueKind == JsonValueKind.String;

    private static Example.Chat Read(Fields row) =>
        Turns.Chat(row, [.. Alpaca.History(row), new Message("user", row.Text("question")), new Message("assistant", row.Text("answer"))]);
}
