using System.Text;

namespace LlmTune.Config;

/// <summary>
/// A run file with every setting there is, each with what it means. What has no value, or a value that follows from others,
/// stands there as a comment, ready to be switched on.
/// </summary>
internal static class CommentedYaml
{
    private const int WidestAligned = 44;

    /// <summary>One line: what is written, and what is said about it.</summary>
    private readonly record struct Row(string Text, string Comment);

    public static string Write(SectionForm form, object config)
    {
        List<Row> rows = [];
        Section(form, config, 0, rows);
        return Aligned(rows);
    }

    private static void Section(SectionForm form, object section, int indent, List<Row> rows)
    {
        var margin = new string(' ', indent);
        if (form.Discriminator is var (type, name)) rows.Add(new Row($"{margin}{type}: {name}", ""));
        foreach (var setting in form.Keys)
        {
            var value = setting.Get(section);
            var below = value is null ? null : (setting.Form as VariantForm)?.Of(value) ?? setting.Form as SectionForm;
            if (indent == 0 && setting.Form is SectionForm or VariantForm) rows.Add(default);
            var written = value is null ? setting.Doc.Example : NodeText.Flow(setting.Form.Write(value));
            if (value is null || (setting.Doc.Default is not null && !setting.IsNullable && Follows(form, section, setting)))
                rows.Add(new Row($"{margin}# {setting.Key}: {written}", Comment(setting)));
            else if (below is not null)
            {
                rows.Add(new Row($"{margin}{setting.Key}:", Comment(setting)));
                Section(below, value, indent + 2, rows);
            }
            else if (setting.Form is ListForm { Item: SectionForm item })
            {
                rows.Add(new Row($"{margin}{setting.Key}:", Comment(setting)));
                Items(item, (IEnumerable<object>)value, indent + 2, rows);
            }
            else
                rows.Add(new Row($"{margin}{setting.Key}: {written}", Comment(setting)));
        }
    }

    /// <summary>Whether a setting says what follows from the others anyway.</summary>
    private static bool Follows(SectionForm form, object section, Setting setting)
    {
        var written = (MapNode)form.Write(section);
        var others = written with { Entries = [.. written.Entries.Where(entry => entry.Key != setting.Key)] };
        var derived = form.Read(others, new Reading(new Problems(), form)) is { } read ? setting.Get(read) : null;
        return derived is not null && derived.Equals(setting.Get(section));
    }

    /// <summary>The first with all its settings, the others with what is not the default.</summary>
    private static void Items(SectionForm form, IEnumerable<object> items, int indent, List<Row> rows)
    {
        foreach (var (i, item) in items.Index())
        {
            var start = rows.Count;
            if (i == 0) Section(form, item, indent + 2, rows);
            else rows.Add(new Row(new string(' ', indent + 2) + NodeText.Flow(form.WriteChanged(item)), ""));
            rows[start] = rows[start] with { Text = $"{new string(' ', indent)}- {rows[start].Text[(indent + 2)..]}" };
        }
    }

    private static string Comment(Setting setting)
    {
        string[] more = [setting.Form is EnumForm ? setting.Form.Expected : "", setting.Doc.Default is { } words ? $"default: {words}" : ""];
        var bracket = string.Join("; ", more.Where(text => text.Length > 0));
        return bracket.Length > 0 ? $"{setting.Doc.Text} ({bracket})" : setting.Doc.Text;
    }

    private static string Aligned(List<Row> rows)
    {
        var text = new StringBuilder();
        for (var start = 0; start < rows.Count;)
        {
            var end = rows.FindIndex(start + 1, row => row.Text is null);
            var block = rows.GetRange(start, (end < 0 ? rows.Count : end) - start);
            var column = block.Max(row => row.Text is { Length: <= WidestAligned } line ? line.Length : 0) + 2;
            foreach (var (line, comment) in block)
            {
                text.Append(line);
                if (line is not null && comment.Length > 0) text.Append(' ', Math.Max(2, column - line.Length)).Append("# ").Append(comment);
                text.Append('\n');
            }
            start += block.Count;
        }
        return text.ToString();
    }
}
