using System.Text.Json;
using LlmTune.Config;

namespace LlmTune.Data.Formats;

/// <summary>Which format rows have.</summary>
public static class Detection
{
    /// <summary>
    /// The first format that most of the rows fit. Where values are null in too many of them, the one that the others fit and whose columns most
    /// have; else the first whose columns most have, or the one that a good part fits, so that what is wrong with the others is said row by row.
    /// </summary>
    /// <param name="rows">Some rows from the beginning; at least one.</param>
    /// <exception cref="RequestException">None fits: the message names the columns and shows how to map them.</exception>
    public static RowFormat Find(IReadOnlyList<JsonElement> rows, RowSettings settings, string source) =>
        Fitting(rows, settings) ?? throw new RequestException(Undetected(rows, settings, source));

    /// <summary>The same, or null where none fits.</summary>
    internal static RowFormat? Fitting(IReadOnlyList<JsonElement> rows, RowSettings settings)
    {
        var candidates = RowFormat.All.Where(f => MayHave(f, settings)).ToList();
        var named = candidates.FindAll(f => Most(rows, row => f.HasRequired(new Fields(row, f, settings), orNull: true)));
        return candidates.Find(f => Most(rows, row => f.Fits(new Fields(row, f, settings))))
            ?? named.Where(f => Count(f) > 0).MaxBy(Count)
            ?? named.FirstOrDefault()
            ?? candidates.Where(f => Count(f) * GoodPart >= rows.Count).MaxBy(Count);

        int Count(RowFormat format) => rows.Count(row => format.Fits(new Fields(row, format, settings)));
    }

    /// <summary>One row in so many is a good part.</summary>
    private const int GoodPart = 4;

    /// <summary>Whether a format has the parts that the settings speak of.</summary>
    private static bool MayHave(RowFormat format, RowSettings settings) =>
        settings.Columns.Keys.All(part => format.Parts.Any(p => p.Name == part)) && (settings.Template is null || format.PromptPart is not null);

    private static bool Most(IReadOnlyList<JsonElement> rows, Func<JsonElement, bool> holds) => rows.Count(holds) * 2 > rows.Count;

    private static string Undetected(IReadOnlyList<JsonElement> rows, RowSettings settings, string source)
    {
        var columns = rows.SelectMany(r => r.EnumerateObject().Select(p => p.Name)).Distinct().ToList();
        var mapped = settings.Columns.Count == 0 ? "" : $", mapped as {string.Join(", ", settings.Columns.Select(c => $"{c.Key}: {c.Value}"))}";
        var unknown = settings.Columns.Values.Where(column => !columns.Contains(column)).ToList();
        return string.Join('\n', (IEnumerable<string>)
        [
            $"{source}: no format fits its rows; found the columns {string.Join(", ", columns)}{mapped}",
            .. unknown.Select(column => $"  there is no column '{column}'{Suggest.Hint(Suggest.Nearest(column, columns))}"),
            "  expected one of",
            .. RowFormat.All.Select(f => $"    {f.Name,-18} {string.Join(", ", f.Parts.Where(p => p != Turns.VariablesPart).Select(p => p.Required ? p.Name : $"({p.Name})"))}"),
            .. ColumnGuess.Of(rows) is { Prompt: { } first, Answer: { } last, Context: var more } ? Proposal(first, last, more, settings.HasTemplate) : [],
        ]);
    }

    /// <summary>How a run file names the two columns: a question and its answer for the chat template, plain text where the model has none.</summary>
    /// <param name="more">A column that stands before the prompt in a template.</param>
    private static IEnumerable<string> Proposal(string first, string last, string? more, bool hasTemplate)
    {
        var (prompt, answer) = hasTemplate ? ("question", "answer") : ("prompt", "completion");
        return
        [
            hasTemplate ? "  say which column plays which part of a conversation (the model's chat template writes it):" : "  say which column plays which part:",
            $"    columns: {{ {prompt}: {TemplateUse.Written(first)}, {answer}: {TemplateUse.Written(last)} }}",
            "  or write the prompt from several columns:",
            $"    prompt_template: \"{(more is null ? $"{{{first}}}" : $"{{{more}}}\\n{{{first}}}")}\"",
            $"    columns: {{ {answer}: {TemplateUse.Written(last)} }}",
        ];
    }
}
