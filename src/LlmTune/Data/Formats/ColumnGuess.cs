using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmTune.Data.Formats;

/// <summary>Which columns of unknown rows are likely a prompt and its answer, for a proposal; each null where no column is likely.</summary>
/// <param name="Context">A column that may stand before the prompt.</param>
internal sealed partial record ColumnGuess(string? Prompt, string? Answer, string? Context)
{
    /// <summary>What columns are mostly called, the likeliest first.</summary>
    private static readonly string[]
        Answers =
        [
            "completion", "answer", "response", "output", "query", "sql", "target", "summary", "label", "highlights", "reply", "solution", "translation", "abstract",
            "headline", "title", "tgt",
        ],
        Prompts =
        [
            "prompt", "question", "instruction", "input", "text", "article", "document", "dialogue", "dialog", "conversation", "utterance", "comment", "passage",
            "source", "query", "problem", "request", "sentence", "review", "body", "content", "context", "src",
        ],
        Contexts = ["context", "schema", "passage", "input", "document"],
        Others = ["id", "idx", "index", "uid", "uuid", "guid", "key", "hash", "url", "uri", "link", "date", "time", "timestamp", "split", "version", "author", "language", "lang"];

    /// <param name="rows">Some rows.</param>
    public static ColumnGuess Of(IReadOnlyList<JsonElement> rows)
    {
        var texts = Texts(rows);
        var answer = Called(texts, Answers, but: Called(texts, [.. Prompts.Except(Answers)]) is null ? Called(texts, Prompts) : null);
        var prompt = Called(texts.Where(column => column != answer), Prompts);
        // Of two columns one of which is known the other is meant, unless it is the shorter one.
        if (prompt is null && answer is not null && texts.Count == 2 && Length(rows, Other(answer)) >= Length(rows, answer)) prompt = Other(answer);
        if (answer is null && prompt is not null && texts.Count == 2) answer = Other(prompt);
        var context = prompt is null || answer is null ? null : Called(texts.Where(column => column != answer && column != prompt), Contexts);
        return new ColumnGuess(prompt, answer, context);

        string Other(string column) => texts.First(other => other != column);
    }

    /// <summary>The columns that hold texts in most rows, and are neither numbers nor names of things.</summary>
    public static IReadOnlyList<string> Texts(IReadOnlyList<JsonElement> rows)
    {
        var values = rows.SelectMany(row => row.EnumerateObject()).Where(column => column.Value.ValueKind != JsonValueKind.Null).ToLookup(column => column.Name, column => column.Value);
        return
        [
            .. from column in rows.SelectMany(row => row.EnumerateObject().Select(property => property.Name)).Distinct()
               where !Words(column).Any(word => Others.Contains(word)) && values[column].Any()
               where values[column].Count(value => value.ValueKind == JsonValueKind.String) * 2 > values[column].Count()
               select column,
        ];
    }

    private static double Length(IReadOnlyList<JsonElement> rows, string column) =>
        rows.Average(row => row.TryGetProperty(column, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()!.Length : 0);

    /// <summary>The column whose name is, or has among its words, one of these words, the first of them first.</summary>
    private static string? Called(IEnumerable<string> columns, string[] words, string? but = null)
    {
        var all = columns.Where(column => column != but).ToList();
        return words.Select(word => all.Find(column => column.Equals(word, StringComparison.OrdinalIgnoreCase))).FirstOrDefault(column => column is not null)
            ?? words.Select(word => all.Find(column => Words(column).Any(part => part == word || part == word + "s"))).FirstOrDefault(column => column is not null);
    }

    /// <summary>The words of a name, in small letters: <c>userPrompt</c>, <c>user_prompt</c> and <c>User Prompt</c> have the same.</summary>
    private static IEnumerable<string> Words(string name) => Word().Matches(name).Select(word => word.Value.ToLowerInvariant());

    [GeneratedRegex(@"\p{Lu}?\p{Ll}+|\p{Lu}+(?!\p{Ll})|\p{Lo}+")]
    private static partial Regex Word();
}
