namespace LlmTune.Data.Sources;

/// <summary>JSON Lines: an object a line; blank lines are passed over.</summary>
internal static class JsonLinesRows
{
    public static IEnumerable<Row> Read(Stream stream, string file)
    {
        var reader = new LineReader(stream);
        while (Next(reader, file) is { } row)
            yield return row;
    }

    private static Row? Next(LineReader reader, string file)
    {
        while (reader.Next(out var line))
        {
            if (!line.IsEmpty && line.IndexOfAnyExcept(" \t\r"u8) >= 0) return RowParser.Parse(line, file, reader.Line);
        }
        return null;
    }
}
