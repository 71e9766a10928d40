using System.Text.Json;
using System.Text.Unicode;

namespace LlmTune.Data.Sources;

/// <summary>
/// Separated values with a header (RFC 4180): quoted fields may hold separators, doubled quotes and line breaks; every value is a
/// text, nothing is trimmed or guessed. The separator (comma, semicolon, tab) is the one that the header has most of.
/// </summary>
internal static class CsvRows
{
    /// <exception cref="RequestException">The header names a column twice.</exception>
    public static IEnumerable<Row> Read(Stream stream, string file)
    {
        var peeked = new PeekedStream(stream);
        var records = new CsvRecords(peeked, Separator(peeked));
        if (!records.Next()) yield break;
        if (records.Problem is { } broken) throw new RequestException($"{file}:{records.Line}: the header {broken}");
        var header = records.Fields.Select(f => System.Text.Encoding.UTF8.GetString(f.Span)).ToArray();
        var twice = header.CountBy(name => name).FirstOrDefault(c => c.Value > 1);
        if (twice.Value > 1)
            throw new RequestException($"{file}:1: the header names the column '{twice.Key}' {twice.Value} times; expected a header with a name for each column");
        while (records.Next())
            yield return ToRow(records, header, file);
    }

    private static Row ToRow(CsvRecords records, string[] header, string file)
    {
        if (records.Problem is { } problem) return Row.Bad(file, records.Line, problem);
        var fields = records.Fields;
        if (fields.Count != header.Length)
        {
            return Row.Bad(
                file, records.Line, $"has {fields.Count} fields, the header {header.Length} ({string.Join(", ", header)}); quote a field that holds the separator");
        }
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            for (var i = 0; i < header.Length; i++)
            {
                if (!Utf8.IsValid(fields[i].Span)) return Row.Bad(file, records.Line, "is not UTF-8; convert the file, for example with iconv");
                if (header[i].Length > 0) writer.WriteString(header[i], fields[i].Span);
            }
            writer.WriteEndObject();
        }
        return new Row(JsonElement.Parse(buffer.GetBuffer().AsSpan(0, (int)buffer.Length)), file, records.Line);
    }

    private static byte Separator(PeekedStream stream)
    {
        var head = stream.Head(1 << 16);
        Span<int> counts = stackalloc int[3];
        var quoted = false;
        foreach (var b in head)
        {
            if (b == '"') quoted = !quoted;
            if (quoted) continue;
            if (b == '\n') break;
            var kind = ",;\t"u8.IndexOf(b);
            if (kind >= 0) counts[kind]++;
        }
        var best = counts.IndexOf(Math.Max(counts[0], Math.Max(counts[1], counts[2])));
        return ",;\t"u8[best];
    }
}
