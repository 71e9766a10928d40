using System.Text.Json;
using LlmTune.Data.Sources;
using LlmTune.Tokenization;

namespace LlmTune.Data.Formats;

/// <summary>A judged answer as its row has it: a text, a turn, or a list of turns.</summary>
/// <param name="Where">What it is called in messages.</param>
internal sealed record RowAnswer(string Where, JsonElement Value)
{
    public bool IsText => Value.ValueKind == JsonValueKind.String;
}

/// <summary>
/// What the formats of judged answers share. The prompt is a text (<c>prompt</c>), which with answers that are texts is not templated; or
/// an <c>instruction</c>, a <c>question</c> or turns, which are a conversation. Answers that do not begin with the assistant bring their
/// prompt themselves.
/// </summary>
internal static class JudgedRows
{
    private const string Assistant = "assistant";

    /// <summary>The parts that a prompt may have, the first that is there counts.</summary>
    public static IReadOnlyList<Part> PromptParts { get; } =
    [
        new Part("prompt", false), new Part("instruction", false), new Part("question", false),
        new Part("conversations", false, "messages", "conversation"), new Part("input", false, "context"), new Part("history", false),
        new Part("system", false, "system_prompt"), new Part("tools", false, "functions"), Turns.VariablesPart,
    ];

    public static bool HasPrompt(Fields row) => row.Has("prompt") || row.Has("instruction") || row.Has("question") || row.Has("conversations");

    public static RowAnswer Answer(Fields row, string part) => new($"'{row.ColumnOf(part)}'", row.Get(part));

    /// <param name="desirable">Of a single answer whether it is a good one.</param>
    public static Example.Judged Read(Fields row, IReadOnlyList<RowAnswer> answers, bool? desirable = null)
    {
        if (PromptIsText(row) && row.OptionalText("system") is null && answers.All(answer => answer.IsText)) return Texts(row, answers, desirable);
        var turns = answers.Select(answer => (IReadOnlyList<Message>)[.. AnswerTurns(row, answer)]).ToList();
        return turns.TrueForAll(t => t[0].Role == Assistant)
            ? Chats(row, Prompt(row) ?? throw NoPrompt(), answers, turns, desirable)
            : WithOwnPrompt(row, answers, turns, desirable);
    }

    /// <summary>A conversation whose last turn is judged.</summary>
    public static Example.Judged ReadLastTurn(Fields row, RowAnswer conversation, bool desirable) =>
        WithOwnPrompt(row, [conversation], [[.. AnswerTurns(row, conversation)]], desirable);

    /// <summary>The prompt is what all answers begin with; of a single one what stands before its last turn.</summary>
    private static Example.JudgedChats WithOwnPrompt(
        Fields row, IReadOnlyList<RowAnswer> answers, List<IReadOnlyList<Message>> turns, bool? desirable)
    {
        var length = turns.Count > 1 ? CommonPrompt.Of(turns) : turns[0].Count - 1;
        if (length == 0)
        {
            var found = turns.Count > 1 ? "shares no turn with the others" : "is one turn";
            throw new RowException($"{answers[0].Where} {found}, so that there is no prompt");
        }
        return Chats(row, [.. turns[0].Take(length)], answers, turns.ConvertAll(t => (IReadOnlyList<Message>)[.. t.Skip(length)]), desirable);
    }

    private static Example.JudgedChats Chats(
        Fields row, IReadOnlyList<Message> prompt, IReadOnlyList<RowAnswer> answers, List<IReadOnlyList<Message>> turns, bool? desirable)
    {
        foreach (var (answer, its) in answers.Zip(turns))
        {
            if (its[0].Role != Assistant) throw new RowException($"{answer.Where}: the {its[0].Role}'s turn is judged, expected the assistant's");
            if (its.Any(turn => turn.Train == false)) throw new RowException($"{answer.Where}: a turn says not to train on it, and a judged answer counts as a whole");
            if (its.Any(turn => turn.Weight != 1 || turn.Parts.Count > 0)) throw new RowException($"{answer.Where}: a turn says that it counts more or less, or parts of it, and a judged answer counts as a whole");
        }
        if (row.OptionalText("system") is { } system && prompt[0].Role != "system") prompt = [new Message("system", system), .. prompt];
        return new Example.JudgedChats(prompt, turns, Turns.Tools(row), desirable) { Variables = Turns.Variables(row) };
    }

    private static Example.JudgedTexts Texts(Fields row, IReadOnlyList<RowAnswer> answers, bool? desirable)
    {
        List<string> texts = [.. answers.Select(answer => answer.Value.GetString()!)];
        if (row.Has("prompt")) return new Example.JudgedTexts(row.Text("prompt"), texts, desirable);
        if (texts.Count < 2) throw NoPrompt();
        var empty = texts.FindIndex(text => text.Length == 0);
        if (empty >= 0) throw new RowException($"{answers[empty].Where} is empty, and there is no prompt beside it");
        var length = CommonPrompt.Of(texts);
        return new Example.JudgedTexts(texts[0][..length], texts.ConvertAll(text => text[length..]), desirable);
    }

    private static RowException NoPrompt() =>
        new($"has no prompt: none of {string.Join(", ", PromptParts.Take(4).Select(part => $"'{part.Name}'"))}, and no turns before the answer");

    /// <summary>Whether the prompt is a text, or the answers bring theirs.</summary>
    private static bool PromptIsText(Fields row) => row.Has("prompt") ? !PromptIsTurns(row) : !HasPrompt(row);

    private static bool PromptIsTurns(Fields row) =>
        row.Settings.Template is null && row.TryGet("prompt", out var prompt) && prompt.ValueKind == JsonValueKind.Array;

    private static IReadOnlyList<Message>? Prompt(Fields row)
    {
        if (PromptIsTurns(row)) return [.. Turns.Read(row, "prompt", Turns.Any)];
        if (row.Has("prompt")) return [new Message("user", row.Text("prompt"))];
        if (row.Has("instruction")) return [.. Alpaca.Prompt(row)];
        if (row.Has("question")) return [new Message("user", row.Text("question"))];
        return row.Has("conversations") ? [.. Turns.Read(row, "conversations", Turns.Any)] : null;
    }

    private static IEnumerable<Message> AnswerTurns(Fields row, RowAnswer answer)
    {
        switch (answer.Value.ValueKind)
        {
            case JsonValueKind.String:
                return [new Message(Assistant, answer.Value.GetString())];
            case JsonValueKind.Object:
                return [Turns.Any(answer.Value, row.Settings, $"{answer.Where}:")];
            case JsonValueKind.Array when answer.Value.GetArrayLength() > 0:
                return Turns.Read(answer.Value, answer.Where.Trim('\''), row.Settings, Turns.Any);
            default:
                throw new RowException($"{answer.Where} is {Kinds.Describe(answer.Value)}, expected a text, a turn or a list of turns");
        }
    }

    private static bool IsText(Fields row, string part) => row.TryGet(part, out var value) && value.ValueKind == JsonValueKind.String;

    /// <summary>How columns are mapped to train on the best answers alone, as the run file has it.</summary>
    public static string ColumnsToImitate(Fields row, RowFormat format)
    {
        var best = format == Ranking.Format ? $"{row.ColumnOf("completions")}.0" : row.ColumnOf("chosen");
        var kind = row.TryGet(format == Ranking.Format ? "completions" : "chosen", out var value) ? value.ValueKind : JsonValueKind.String;
        if (format != Ranking.Format && kind == JsonValueKind.Array && value.GetArrayLength() > 1) return $"{{ messages: {best} }}";
        if (row.Settings.HasTemplate && IsText(row, "prompt") && (format == Ranking.Format ? value.EnumerateArray().FirstOrDefault() : value).ValueKind == JsonValueKind.String)
            return $"{{ question: {row.ColumnOf("prompt")}, answer: {best} }}";
        if (row.Has("prompt")) return $"{{ prompt: {row.ColumnOf("prompt")}, completion: {best} }}";
        if (row.Has("instruction")) return $"{{ instruction: {row.ColumnOf("instruction")}, output: {best} }}";
        if (row.Has("question")) return $"{{ question: {row.ColumnOf("question")}, answer: {best} }}";
        return row.Has("conversations") ? $"{{ prompt: {row.ColumnOf("conversations")}, completion: {best} }}" : $"{{ text: {best} }}";
    }
}
