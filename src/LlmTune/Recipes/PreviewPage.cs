using System.Globalization;
using System.Net;
using System.Text;
using LlmTune.Data;
using LlmTune.Tokenization;

namespace LlmTune.Recipes;

/// <summary>A preview as one HTML file that needs nothing else.</summary>
public static class PreviewPage
{
    private const string Style = """
        body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums }
        th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #8884 }
        th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left }
        .scroll { overflow-x: auto }
        .bar { background: #2a7; height: .9rem; min-width: 1px; display: block }
        .lengths td { border: 0; padding: .05rem .5rem } .lengths td:last-child { width: 30rem; text-align: left }
        pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .8rem; border: 1px solid #8884; border-radius: 6px }
        h4 { margin: .5rem 0 0 }
        pre span { color: #777 } pre .t { color: #063; background: #cfe8d5 } pre.bad .t { color: #711; background: #f3d3d0 } pre .s { outline: 1px solid #8888; border-radius: 3px }
        .error { color: #b00 } .warning { color: #960 }
        @media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } pre span { color: #999 } pre .t { color: #cfe8d5; background: #164a2c } pre.bad .t { color: #f3d3d0; background: #5c1f1b } .error { color: #f77 } .warning { color: #eb5 } }
        """;

    /// <param name="title">What is previewed: the run file's name.</param>
    public static string Html(PreviewResult preview, string title)
    {
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{Text(title)}</title>\n<style>\n{Style}\n</style></head>\n<body>\n");
        page.Append(CultureInfo.InvariantCulture, $"<h1>{Text(title)}</h1>\n");
        Sources(page, preview);
        foreach (var sentence in PreviewText.Summary(preview)) page.Append(CultureInfo.InvariantCulture, $"<p>{Text(sentence)}</p>\n");
        Lengths(page, preview.Lengths);
        Findings(page, preview.Findings);
        if (preview.Examples.Count > 0) page.Append("<h2>Examples</h2>\n<p>Marked: trained on. Framed: special tokens. The pointer on a token shows its id.</p>\n");
        foreach (var example in preview.Examples) Example(page, example);
        return page.Append("</body></html>\n").ToString();
    }

    private static void Sources(StringBuilder page, PreviewResult preview)
    {
        page.Append("<h2>Sources</h2>\n<div class=\"scroll\"><table>\n");
        var tag = "th";
        foreach (var line in preview.Report.Lines())
        {
            page.Append(CultureInfo.InvariantCulture, $"<tr>{string.Concat(line.Select(cell => $"<{tag}>{Text(cell)}</{tag}>"))}</tr>\n");
            tag = "td";
        }
        page.Append("</table></div>\n");
    }

    private static void Lengths(StringBuilder page, IReadOnlyList<LengthBin> bins)
    {
        page.Append("<h2>Lengths</h2>\n<table class=\"lengths\">\n");
        var most = bins.Select(bin => bin.Count).DefaultIfEmpty(1).Max();
        foreach (var bin in bins)
        {
            page.Append(CultureInfo.InvariantCulture,
                $"<tr><td>{bin.From:N0}–{bin.To:N0}</td><td>{bin.Count:N0}</td><td><span class=\"bar\" style=\"width:{100.0 * bin.Count / most:F1}%\"></span></td></tr>\n");
        }
        page.Append("</table>\n");
    }

    private static void Findings(StringBuilder page, IReadOnlyList<AuditFinding> findings)
    {
        if (findings.Count == 0) return;
        page.Append("<h2>Check</h2>\n<ul>\n");
        foreach (var (_, level, problem, remedy) in findings)
        {
            var kind = level switch { AuditLevel.Error => "error", AuditLevel.Warning => "warning", _ => "note" };
            page.Append(CultureInfo.InvariantCulture, $"<li><b class=\"{kind}\">{kind}</b> {Text(problem)}<br>→ {Text(remedy)}</li>\n");
        }
        page.Append("</ul>\n");
    }

    private static void Example(StringBuilder page, PreviewExample example)
    {
        page.Append(CultureInfo.InvariantCulture, $"<h3>{Text(example.Place)}</h3>\n<p>{Text(PreviewText.Heading(example))}</p>\n<pre>");
        Tokens(page, example.Tokens);
        foreach (var answer in example.Answers)
        {
            page.Append(CultureInfo.InvariantCulture, $"<h4>{Text(answer.Name)}</h4>\n<pre{(answer.IsGood ? "" : " class=\"bad\"")}>");
            Tokens(page, answer.Tokens);
        }
    }

    private static void Tokens(StringBuilder page, IReadOnlyList<PreviewToken> tokens)
    {
        foreach (var token in tokens)
        {
            var kind = (token.Trained ? "t" : "") + (token.Special ? " s" : "");
            page.Append(CultureInfo.InvariantCulture, $"<span{(kind.Length > 0 ? $" class=\"{kind.Trim()}\"" : "")} title=\"{token.Id}{(token.Weight != 1 ? string.Create(CultureInfo.InvariantCulture, $" ×{token.Weight:0.###}") : "")}\">{Text(token.Text)}</span>");
        }
        page.Append("</pre>\n");
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}

/// <summary>The sentences that a preview says on a page and on the screen.</summary>
public static class PreviewText
{
    public static IEnumerable<string> Summary(PreviewResult preview)
    {
        var documents = preview.Documents;
        yield return Say($"{Counted(documents, "document")} in {Counted(preview.Rows, "row")} of up to {preview.MaxLength:N0} tokens, {100 * preview.Fill:F1} % filled");
        yield return Say($"Without packing {100 * preview.Padding:F1} % of what is computed would be padding, in batches of rows padded to the longest; here none is");
        yield return Say($"{Counted(preview.StepsPerEpoch, "step")} an epoch, of {Counted(preview.RowsPerStep, "row")} each; {preview.Steps:N0} in the run");
        foreach (var form in preview.FormsOfCalls) yield return $"Calls of tools reach the template {form}";
        if (preview.Judgement != Judgement.None)
            yield return "These answers are judged, and training on judgements is not built: llmtune train says how to train on the good ones alone";
    }

    public static string Heading(PreviewExample example)
    {
        if (example.Answers.Count > 0)
        {
            var answers = example.Answers.Select(answer => Say($"{answer.Name} {answer.Tokens.Count:N0}"));
            return Say($"{example.Source}: a prompt of {example.Tokens.Count:N0} tokens; {string.Join(", ", answers)}");
        }
        var hidden = example.Hidden > 0 ? Say($", {example.Hidden:N0} more are not shown") : "";
        return Say($"{example.Source}: {example.Tokens.Count:N0} tokens, {example.Trained:N0} trained on{hidden}");
    }

    private static string Counted(long count, string what) => Say($"{count:N0} {what}{(count == 1 ? "" : "s")}");

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
