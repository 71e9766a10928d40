using System.Text.Json;

namespace LlmTune.Data.Formats;

/// <summary>Which format rows have.</summary>
public static class Detection
{
    /// <summary>The first format that most of the rows fit.</summary>
    /// <param name="rows">Some rows from the beginning; at least one.</param>
    /// <exception cref="RequestException">None fits: the message names the columns and shows how to map them.</exception>
    public static RowFormat Find(IReadOnlyList<JsonElement> rows, RowSettings settings, string source)
    {
        foreach (var format in RowFormat.All)
        {
            if (!settings.Columns.Keys.All(part => format.Parts.Any(p => p.Name == part))) continue;
            if (settings.Template is not null && format.PromptPart is null) continue;
            if (rows.Count(row => format.Fits(new Fields(row, format, settings))) * 2 > rows.Count) return format;
        }
        throw new RequestException(Undetected(rows, settings, source));
    }

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
