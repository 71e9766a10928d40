namespace LlmTune.Data.Sources;

/// <summary>The rows of files, streamed one after the other.</summary>
internal static class SourceReader
{
    /// <exception cref="RunException">A file is damaged.</exception>
    /// <exception cref="RequestException">A file is of no known kind, or not what its name says.</exception>
    public static IEnumerable<Row> Read(IReadOnlyList<string> files, TextUnit unit, ReadPosition position)
    {
        foreach (var file in files)
        {
            using var rows = Open(file, unit, position).GetEnumerator();
            while (Next(rows, file) is { } row)
                yield return row;
        }
    }

    private static IEnumerable<Row> Open(string file, TextUnit unit, ReadPosition position)
    {
        var kind = file == SourceFiles.StandardInput
            ? FileKind.All[0]
            : FileKind.Of(file)
                ?? throw new RequestException($"{file} is of no kind that is read here; expected {FileKind.Extensions}, perhaps with .gz or .zst behind it");
        using var bytes = file == SourceFiles.StandardInput ? Console.OpenStandardInput() : Opened.Bytes(file, position);
        using var stream = kind.IsText ? Opened.Text(bytes, file) : bytes;
        foreach (var row in kind.Read(stream, file, unit))
            yield return row;
    }

    private static Row? Next(IEnumerator<Row> rows, string file)
    {
        try
        {
            return rows.MoveNext() ? rows.Current : null;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or ZstdSharp.ZstdException or System.Text.DecoderFallbackException)
        {
            throw new RunException($"{file} is damaged: {(e is EndOfStreamException ? "it is cut off" : e.Message)}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RequestException($"{file} cannot be read: {e.Message}", e);
        }
    }
}
