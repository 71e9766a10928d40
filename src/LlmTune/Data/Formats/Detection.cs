using System.Text.Json;

namespace LlmTune.Data.Formats;

/// <summary>Which format rows have.</summary>
public static class Detection
{
    /// <summary>
    /// The first format that most of the rows fit; else the first whose columns most of them have, so that what is wrong with the values
    /// is said row by row.
    /// </summary>
    /// <param name="rows">Some rows from the beginning; at least one.</param>
    /// <exception cref="RequestException">None fits: the message names the columns and shows how to map them.</exception>
    public static RowFormat Find(IReadOnlyList<JsonElement> rows, RowSettings settings, string source)
    {
        var candidates = RowFormat.All.Where(f => MayHave(f, settings)).ToList();
        return candidates.Find(f => Most(rows, row => f.Fits(new Fields(row, f, settings))))
            ?? candidates.Find(f => Most(rows, row => f.HasRequired(new Fields(row, f, settings))))
            ?? throw new RequestException(Undetected(rows, settings, source));
    }

    /// <summary>Whether a format has the parts that the settings speak of.</summary>
    private static bool MayHave(RowFormat format, RowSettings settings) =>
        settings.Columns.Keys.All(part => format.Parts.Any(p => p.Name == part)) && (settings.Template is null || format.PromptPart is not null);

    private static bool Most(IReadOnlyList<JsonElement> rows, Func<JsonElement, bool> holds) => rows.Count(holds) * 2 > rows.Count;

    private static string Undetected(IReadOnlyList<JsonElement> rows, RowSettings settings, string source)
    {
        var columns = rows.SelectMany(r => r.EnumerateObject().Select(p => p.Name)).Distinct().ToList();
        var mapped = settings.Columns.Count == 0 ? "" : $", mapped as {string.Join(", ", settings.Columns.Select(c => $"{c.Key}: {c.Value}"))}";
        var (first, last) = (columns.FirstOrDefault("question"), columns.LastOrDefault("answer"));
        var prompt = string.Join("\\n", columns.SkipLast(1).DefaultIfEmpty(first).Take(3).Select(c => $"{{{c}}}"));
        return string.Join('\n', (IEnumerable<string>)
        [
            $"{source}: no format fits its rows; found the columns {string.Join(", ", columns)}{mapped}",
            "  expected one of",
            .. RowFormat.All.Select(f => $"    {f.Name,-18} {string.Join(", ", f.Parts.Select(p => p.Required ? p.Name : $"({p.Name})"))}"),
            "  say which column plays which part:",
            $"    columns: {{ prompt: {first}, completion: {last} }}",
            "  or write the prompt from several columns:",
            $"    prompt_template: \"{prompt}\"",
            $"    columns: {{ completion: {last} }}",
        ]);
    }
}
