namespace LlmTune.Data.Sources;

/// <summary>A kind of file: how its name ends (before .gz or .zst) and how its rows are read.</summary>
internal sealed record FileKind(string Extension, Func<Stream, string, TextUnit, IEnumerable<Row>> Read, bool IsText = true)
{
    public static IReadOnlyList<FileKind> All { get; } =
    [
        new(".jsonl", (stream, file, _) => JsonLinesRows.Read(stream, file)),
        new(".ndjson", (stream, file, _) => JsonLinesRows.Read(stream, file)),
        new(".json", (stream, file, _) => JsonRows.Read(stream, file)),
        new(".csv", (stream, file, _) => CsvRows.Read(stream, file)),
        new(".tsv", (stream, file, _) => CsvRows.Read(stream, file)),
        new(".txt", TextRows.Read),
        new(".parquet", (stream, file, _) => ParquetRows.Read(stream, file), IsText: false),
        new(".arrow", (stream, file, _) => ArrowRows.Read(stream, file), IsText: false),
    ];

    public static string Extensions => string.Join(", ", All.Select(k => k.Extension));

    /// <summary>What of a file's name says how it is read: <c>.jsonl</c>, <c>.csv.gz</c>.</summary>
    public static string Suffix(string path)
    {
        var last = Path.GetExtension(path).ToLowerInvariant();
        return last is ".gz" or ".zst" ? Path.GetExtension(Path.GetFileNameWithoutExtension(path)).ToLowerInvariant() + last : last;
    }

    /// <summary>The kind of a file by its name; null if none reads it.</summary>
    public static FileKind? Of(string path)
    {
        var name = Path.GetExtension(path).ToLowerInvariant() is ".gz" or ".zst" ? Path.GetFileNameWithoutExtension(path) : path;
        var extension = Path.GetExtension(name);
        return All.FirstOrDefault(k => k.Extension.Equals(extension, StringComparison.OrdinalIgnoreCase));
    }
}
