using System.Text.Json;
using LlmTune.Data.Sources;

namespace LlmTune.Data.Formats;

/// <summary>
/// Several answers to one prompt, the best first: <c>completions</c>, a list of texts or of turns; or in any order, with <c>ranks</c>
/// (1 is the best) or <c>scores</c> (the highest is the best) beside them, or in them as objects of a text with its rank or score.
/// </summary>
internal static class Ranking
{
    private static readonly string[] TextNames = ["completion", "response", "answer", "output", "text", "content"];

    public static RowFormat Format { get; } = new(
        "ranking",
        [
            new Part("completions", true, "responses", "answers"), new Part("ranks", false, "rank"), new Part("scores", false, "score"),
            .. JudgedRows.PromptParts,
        ],
        Fits,
        Read)
    {
        PromptPart = "prompt",
        Judgement = Judgement.Comparison,
    };

    /// <summary>A bare list of <c>answers</c> may as well be one answer in several wordings, so that there an order has to be given.</summary>
    private static bool Fits(Fields row) =>
        row.TryGet("completions", out var list) && list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 1 && JudgedRows.HasPrompt(row)
        && (row.ColumnOf("completions") != "answers" || row.Has("ranks") || row.Has("scores") || Order(list[0]) is not null);

    private static Example.Judged Read(Fields row)
    {
        var list = row.List("completions");
        var column = row.ColumnOf("completions");
        if (list.GetArrayLength() < 2) throw new RowException($"'{column}' has one answer, expected two or more to compare");
        List<(RowAnswer Answer, double? Order)> answers = [];
        foreach (var (i, item) in list.EnumerateArray().Index())
        {
            var order = Beside(row, "ranks", i) ?? -Beside(row, "scores", i) ?? Order(item);
            answers.Add((new RowAnswer($"'{column}', answer {i + 1}", Text(item)), order));
        }
        if (answers.TrueForAll(a => a.Order is null)) return JudgedRows.Read(row, [.. answers.Select(a => a.Answer)]);
        var unranked = answers.FindIndex(a => a.Order is null);
        if (unranked >= 0) throw new RowException($"'{column}', answer {unranked + 1} has neither rank nor score, and others have");
        var sorted = answers.OrderBy(a => a.Order).ToList();
        for (var i = 1; i < sorted.Count; i++)
        {
            if (sorted[i].Order == sorted[i - 1].Order)
                throw new RowException($"{sorted[i - 1].Answer.Where} and {sorted[i].Answer.Where} have the same rank, expected one to be better");
        }
        return JudgedRows.Read(row, [.. sorted.Select(a => a.Answer)]);
    }

    /// <summary>The text of an answer that is an object of a text and its rank or score; else the answer itself.</summary>
    private static JsonElement Text(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object || item.TryGetProperty("role", out _) || item.TryGetProperty("from", out _)) return item;
        foreach (var name in TextNames)
        {
            if (item.TryGetProperty(name, out var text)) return text;
        }
        return item;
    }

    private static double? Order(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object) return null;
        if (item.TryGetProperty("rank", out var rank) && rank.ValueKind == JsonValueKind.Number) return rank.GetDouble();
        return item.TryGetProperty("score", out var score) && score.ValueKind == JsonValueKind.Number ? -score.GetDouble() : null;
    }

    private static double? Beside(Fields row, string part, int index)
    {
        if (!row.TryGet(part, out var list)) return null;
        if (list.ValueKind != JsonValueKind.Array) throw row.Wrong(part, list, "a list of numbers");
        var count = row.Get("completions").GetArrayLength();
        if (list.GetArrayLength() != count)
            throw new RowException($"'{row.ColumnOf(part)}' has {list.GetArrayLength()} entries, '{row.ColumnOf("completions")}' has {count}");
        return list[index].ValueKind == JsonValueKind.Number
            ? list[index].GetDouble()
            : throw new RowException($"'{row.ColumnOf(part)}' holds {Kinds.Describe(list[index])}, expected numbers");
    }
}
