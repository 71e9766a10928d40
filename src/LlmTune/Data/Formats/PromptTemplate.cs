using System.Text;
using System.Text.Json;
using LlmTune.Data.Sources;

namespace LlmTune.Data.Formats;

/// <summary>
/// A text with columns in braces, <c>"{schema}\n\n{question}"</c>; a doubled brace is a brace. Numbers and truth values stand as they are
/// written, a list of texts as lines, null as nothing.
/// </summary>
public sealed class PromptTemplate
{
    private readonly List<(string Text, bool IsColumn)> _pieces;

    private PromptTemplate(List<(string, bool)> pieces) => _pieces = pieces;

    /// <summary>What it writes beside the columns.</summary>
    public string Text => string.Concat(_pieces.Where(p => !p.IsColumn).Select(p => p.Text));

    /// <summary>The columns it names.</summary>
    public IEnumerable<string> Columns => _pieces.Where(p => p.IsColumn).Select(p => p.Text);

    /// <exception cref="RequestException">A brace that does not close, or names nothing.</exception>
    public static PromptTemplate Parse(string template)
    {
        var pieces = new List<(string, bool)>();
        var text = new StringBuilder();
        for (var i = 0; i < template.Length; i++)
        {
            var c = template[i];
            if (c is not ('{' or '}'))
            {
                text.Append(c);
                continue;
            }
            if (i + 1 < template.Length && template[i + 1] == c)
            {
                text.Append(c);
                i++;
                continue;
            }
            var end = c == '{' ? template.IndexOf('}', i) : -1;
            var name = end < 0 ? "" : template[(i + 1)..end].Trim();
            if (name.Length == 0)
                throw new RequestException($"prompt_template: the brace at character {i + 1} names no column; write {{column}}, or {{{{ and }}}} for braces");
            if (text.Length > 0) pieces.Add((text.ToString(), false));
            text.Clear();
            pieces.Add((name, true));
            i = end;
        }
        if (text.Length > 0) pieces.Add((text.ToString(), false));
        return new PromptTemplate(pieces);
    }

    internal string Fill(JsonElement row) => string.Concat(_pieces.Select(p => p.IsColumn ? Value(row, p.Text) : p.Text));

    private static string Value(JsonElement row, string column)
    {
        if (!Fields.TryPath(row, column, out var value))
            throw new RowException($"has no '{column}', which prompt_template names; found {string.Join(", ", row.EnumerateObject().Select(p => p.Name))}");
        return value.ValueKind switch
        {
            JsonValueKind.Null => "",
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
            JsonValueKind.Array when value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String) =>
                string.Join('\n', value.EnumerateArray().Select(v => v.GetString())),
            _ => throw new RowException($"'{column}', which prompt_template names, is {Kinds.Describe(value)}, expected a text, a number or a list of texts"),
        };
    }
}
