using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Data.Sources;

/// <summary>
/// A JSON file: an array of objects, one object that is a row or holds columns (lists of equal length), objects one after the other, or the
/// turns of one conversation. Arrays and sequences are streamed; columns are read as a whole, because a row is only complete at their end.
/// </summary>
internal static class JsonRows
{
    private const string Expected = "expected an array of rows, a row, or an object of columns (lists of equal length)";

    /// <summary>So many bytes say what a file is that is no JSON.</summary>
    private const int Looked = 512;

    /// <summary>Lists of objects that belong to one row.</summary>
    private static readonly string[] OfOneRow = ["tools", "functions", "completions", "responses", "answers"];

    /// <summary>Of a table each of these would hold lists.</summary>
    private static readonly string[] Talks = ["messages", "conversations", "conversation", "history"];

    /// <exception cref="RequestException">The file is not JSON from somewhere on, or neither rows nor columns.</exception>
    public static IEnumerable<Row> Read(Stream stream, string file)
    {
        var peeked = new PeekedStream(stream);
        return peeked.FirstVisible() switch
        {
            null => [],
            (byte)'[' => Values(peeked, file, array: true),
            (byte)'{' => Objects(peeked, file),
            _ => throw Neither(peeked, file),
        };
    }

    private static RequestException Neither(PeekedStream stream, string file)
    {
        var head = stream.Head(Looked);
        var mistake = JsonMistake.Find(head);
        return new RequestException(mistake.Offset == head.IndexOfAnyExcept(" \t\r\n"u8)
            ? $"{file}:{1 + head[..mistake.Offset].Count((byte)'\n')}: not JSON: {mistake.What}"
            : $"{file} begins neither with '[' nor with '{{': {Expected}");
    }

    /// <summary>Rows by their lines; by their numbers where the first two share one, as programs write arrays without line breaks.</summary>
    private static IEnumerable<Row> Values(Stream stream, string file, bool array)
    {
        var reader = new JsonValueReader(stream, array);
        var (first, number) = (Next(reader, file), 0L);
        if (first is null) yield break;
        if (first.Problem is null && TurnList.IsTurn(first.Value))
        {
            yield return Conversation(first, reader, file);
            yield break;
        }
        var second = Next(reader, file);
        var counts = second is not null && second.Number == first.Number;
        yield return Placed(first);
        for (var row = second; row is not null; row = Next(reader, file)) yield return Placed(row);

        Row Placed(Row row) => counts ? row with { Number = ++number, ByLine = false } : row;
    }

    /// <summary>An array of turns is one row.</summary>
    private static Row Conversation(Row first, JsonValueReader reader, string file)
    {
        List<JsonElement> turns = [first.Value];
        while (Next(reader, file) is { } turn)
        {
            if (turn.Problem is not null) return turn;
            turns.Add(turn.Value);
        }
        return first with { Value = TurnList.Row(turns) };
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

    /// <summary>One object is a row or a table of columns; several are rows.</summary>
    private static IEnumerable<Row> Objects(Stream stream, string file)
    {
        var reader = new JsonValueReader(stream, array: false);
        var first = Next(reader, file);
        if (first is null) yield break;
        var second = Next(reader, file);
        if (second is null && first.Problem is null)
        {
            foreach (var row in One(first, file)) yield return row;
            yield break;
        }
        yield return first;
        for (var row = second; row is not null; row = Next(reader, file))
            yield return row;
    }

    /// <summary>Lists of equal length are columns, unless one of them is a conversation, which is part of a row.</summary>
    private static IEnumerable<Row> One(Row only, string file)
    {
        var columns = only.Value.EnumerateObject().Select(p => (p.Name, p.Value)).ToList();
        if (columns.Count == 0) throw new RequestException($"{file} is one object with nothing in it: {Expected}");
        if (columns.Exists(c => TurnList.Is(c.Value) || (Talks.Contains(c.Name) && AreObjects(c.Value)))) return [only];
        var isTable = columns.TrueForAll(c => c.Value.ValueKind == JsonValueKind.Array);
        if ((!isTable || columns.Count == 1) && columns.Find(c => IsRows(c.Name, c.Value)) is { Name: { } wrapper })
        {
            throw new RequestException(
                $"{file} is one object whose '{wrapper}' is a list of rows; write that list to a file of its own, as with jq .{wrapper} {Path.GetFileName(file)} > rows.json");
        }
        if (!isTable) return [only];
        var rows = columns[0].Value.GetArrayLength();
        if (columns.Find(c => c.Value.GetArrayLength() != rows) is { Name: { } odd } unequal)
        {
            throw new RequestException(
                $"{file}: column '{odd}' has {unequal.Value.GetArrayLength()} entries, column '{columns[0].Name}' has {rows}; columns must be equally long");
        }
        return Transpose(columns, rows, file);
    }

    private static bool IsRows(string name, JsonElement value) => !OfOneRow.Contains(name) && AreObjects(value);

    private static bool AreObjects(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Object);

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
