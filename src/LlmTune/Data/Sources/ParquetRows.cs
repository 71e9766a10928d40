using Parquet;
using Parquet.Serialization;

namespace LlmTune.Data.Sources;

/// <summary>Parquet, a row group at a time.</summary>
internal static class ParquetRows
{
    public static IEnumerable<Row> Read(Stream stream, string file)
    {
        var groups = Open(stream, reader => reader.RowGroupCount);
        using var json = new JsonBuilder();
        var number = 0L;
        for (var group = 0; group < groups; group++)
        {
            foreach (var row in Group(stream, group))
                yield return new Row(json.Build(writer => JsonBuilder.Write(writer, row)), file, ++number) { ByLine = false };
        }
    }

    private static T Open<T>(Stream stream, Func<ParquetReader, T> read) => Damage.Named("its Parquet footer", () =>
    {
        var reader = ParquetReader.CreateAsync(stream, leaveStreamOpen: true).GetAwaiter().GetResult();
        try
        {
            return read(reader);
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    });

    private static IList<Dictionary<string, object>> Group(Stream stream, int group) => Damage.Named("a row group", () =>
    {
        stream.Position = 0;
        return ParquetSerializer.DeserializeUntypedAsync(stream, rowGroupIndex: group).GetAwaiter().GetResult().Data;
    });
}
