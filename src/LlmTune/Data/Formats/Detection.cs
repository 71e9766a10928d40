using System.Text.Json;
using LlmTune.Config;

namespace LlmTune.Data.Formats;

/// <summary>Which format rows have.</summary>
public static class Detection
{
    /// <summary>What columns with a part of their own are mostly called.</summary>
    private static readonly string[]
        Answers = ["completion", "answer", "response", "output", "query", "sql", "target", "summary", "label", "highlights", "reply"],
        Questions = ["prompt", "question", "instruction", "input", "text", "article", "document", "utterance", "comment"],
        Contexts = ["context", "schema", "passage", "input"];

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

    /// <summary>The column whose name is, or has in it, one of these words, the first of them first.</summary>
    private static string? Like(IEnumerable<string> columns, string[] words)
    {
        var all = columns.ToList();
        return words.Select(word => all.Find(c => c.Equals(word, StringComparison.OrdinalIgnoreCase))).FirstOrDefault(c => c is not null)
            ?? words.Select(word => all.Find(c => c.Contains(word, StringComparison.OrdinalIgnoreCase))).FirstOrDefault(c => c is not null);
    }

    private static string Undetected(IReadOnlyList<JsonElement> rows, RowSettings settings, string source)
    {
        var columns = rows.SelectMany(r => r.EnumerateObject().Select(p => p.Name)).Distinct().ToList();
        var mapped = settings.Columns.Count == 0 ? "" : $", mapped as {string.Join(", ", settings.Columns.Select(c => $"{c.Key}: {c.Value}"))}";
        var last = Like(columns, Answers) ?? columns.LastOrDefault("answer");
        var first = Like(columns.Where(c => c != last), Questions) ?? columns.FirstOrDefault(c => c != last) ?? "question";
        var more = Like(columns.Where(c => c != last && c != first), Contexts);
        var prompt = more is null ? $"{{{first}}}" : $"{{{more}}}\\n{{{first}}}";
        var unknown = settings.Columns.Values.Where(column => !columns.Contains(column)).ToList();
        return string.Join('\n', (IEnumerable<string>)
        [
            $"{source}: no format fits its rows; found the columns {string.Join(", ", columns)}{mapped}",
            .. unknown.Select(column => $"  there is no column '{column}'{Suggest.Hint(Suggest.Nearest(column, columns))}"),
            "  expected one of",
            .. RowFormat.All.Select(f => $"    {f.Name,-18} {string.Join(", ", f.Parts.Select(p => p.Required ? p.Name : $"({p.Name})"))}"),
            .. Proposal(first, last, prompt, settings.HasTemplate),
        ]);
    }

    /// <summary>How a run file names the two columns: a question and its answer for the chat template, plain text where the model has none.</summary>
    /// <param name="template">The prompt from one column or more.</param>
    private static IEnumerable<string> Proposal(string first, string last, string template, bool hasTemplate)
    {
        var (prompt, answer) = hasTemplate ? ("question", "answer") : ("prompt", "completion");
        return
        [
            hasTemplate ? "  say which column plays which part of a conversation (the model's chat template writes it):" : "  say which column plays which part:",
            $"    columns: {{ {prompt}: {TemplateUse.Written(first)}, {answer}: {TemplateUse.Written(last)} }}",
            "  or write the prompt from several columns:",
            $"    prompt_template: \"{template}\"",
            $"    columns: {{ {answer}: {TemplateUse.Written(last)} }}",
        ];
    }
}
