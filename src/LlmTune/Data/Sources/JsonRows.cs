using System.Text.Json;

namespace LlmTune.Data.Sources;

/// <summary>
/// A JSON file: an array of objects, an object of columns (lists of equal length), or objects one after the other.
/// Arrays and sequences are streamed; columns are read as a whole, because a row is only complete at their end.
/// </summary>
internal static class JsonRows
{
    private const string Expected = "expected an array of rows, or an object of columns (lists of equal length)";

    /// <exception cref="RequestException">The file is not JSON from somewhere on, or neither rows nor columns.</exception>
    public static IEnumerable<Row> Read(Stream stream, string file)
    {
        var peeked = new PeekedStream(stream);
        return peeked.FirstVisible() switch
        {
            null => [],
            (byte)'[' => Values(peeked, file, array: true),
            (byte)'{' => Objects(peeked, file),
            _ => throw new RequestException($"{file} begins neither with '[' nor with '{{': {Expected}"),
        };
    }

    /// <summary>Rows by their lines; by their numbers where the first two share one, as programs write arrays without line breaks.</summary>
    private static IEnumerable<Row> Values(Stream stream, string file, bool array)
    {
        var reader = new JsonValueReader(stream, array);
        var (first, number) = (Next(reader, file), 0L);
        if (first is null) yield break;
        var second = Next(reader, file);
        var counts = second is not null && second.Number == first.Number;
        yield return Placed(first);
        for (var row = second; row is not null; row = Next(reader, file)) yield return Placed(row);

        Row Placed(Row row) => counts ? row with { Number = ++number, ByLine = false } : row;
    }

    private static Row? Next(JsonValueReader reader, string file)
    {
        try
        {
            return reader.Next(out var value, out var line) ? RowParser.Parse(value, file, line) : null;
        }
        catch (NotJsonException e)
        {
            throw new RequestException($"{file}:{e.Line}: not JSON from here on: {e.Message}", e);
        }
    }

    /// <summary>One object is a table of columns; several are rows.</summary>
    private static IEnumerable<Row> Objects(Stream stream, string file)
    {
        var reader = new JsonValueReader(stream, array: false);
        var first = Next(reader, file);
        if (first is null) yield break;
        var second = Next(reader, file);
        if (second is null && first.Problem is null)
        {
            foreach (var row in Columns(first.Value, file)) yield return row;
            yield break;
        }
        yield return first;
        for (var row = second; row is not null; row = Next(reader, file))
            yield return row;
    }

    private static IEnumerable<Row> Columns(JsonElement table, string file)
    {
        var columns = table.EnumerateObject().Select(p => (p.Name, p.Value)).ToList();
        var names = string.Join(", ", columns.Select(c => c.Name));
        if (columns.Exists(c => c.Value.ValueKind != JsonValueKind.Array))
            throw new RequestException($"{file} is one object with {(names == "" ? "nothing in it" : names)}: {Expected}");
        var rows = columns.Count == 0 ? 0 : columns[0].Value.GetArrayLength();
        if (columns.Find(c => c.Value.GetArrayLength() != rows) is { Name: { } odd } unequal)
        {
            throw new RequestException(
                $"{file}: column '{odd}' has {unequal.Value.GetArrayLength()} entries, column '{columns[0].Name}' has {rows}; columns must be equally long");
        }
        return Transpose(columns, rows, file);
    }

    private static IEnumerable<Row> Transpose(List<(string Name, JsonElement Value)> columns, int rows, string file)
    {
        var cells = columns.ConvertAll(c => c.Value.EnumerateArray().ToArray());
        using var buffer = new MemoryStream();
        using var writer = new Utf8JsonWriter(buffer);
        for (var i = 0; i < rows; i++)
        {
            buffer.SetLength(0);
            writer.Reset();
            writer.WriteStartObject();
            for (var c = 0; c < columns.Count; c++)
            {
                writer.WritePropertyName(columns[c].Name);
                cells[c][i].WriteTo(writer);
            }
            writer.WriteEndObject();
            writer.Flush();
            yield return new Row(JsonElement.Parse(buffer.GetBuffer().AsSpan(0, (int)buffer.Length)), file, i + 1) { ByLine = false };
        }
    }
}
