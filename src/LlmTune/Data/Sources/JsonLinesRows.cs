using LlmTune.Io;

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
        while (reader.Next())
        {
            var line = reader.Current.Span.TrimEnd(" \t\r"u8);
            if (!line.IsEmpty) return RowParser.Parse(line, file, reader.Number);
        }
        return null;
    }
}
