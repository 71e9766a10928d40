using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace LlmTune.Io;

/// <summary>Files with one JSON value a line.</summary>
public static class JsonLines
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 256 };

    /// <summary>
    /// The values with their line numbers, read as they are asked for. Blank lines and a byte order mark are passed over; an escape
    /// that is half a surrogate pair becomes U+FFFD.
    /// </summary>
    /// <exception cref="RequestException">There is no such file, or a line is not JSON; the message names file and line.</exception>
    public static IEnumerable<(int Line, JsonElement Value)> Read(string path)
    {
        using var stream = Open(path);
        foreach (var row in Read(stream, path)) yield return row;
    }

    /// <param name="name">What messages call the stream.</param>
    public static IEnumerable<(int Line, JsonElement Value)> Read(Stream stream, string name)
    {
        var lines = new LineReader(stream);
        while (lines.Next())
        {
            if (Parse(lines.Current.Span, name, lines.Number) is { } value) yield return (lines.Number, value);
        }
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new RequestException($"{path} does not exist", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RequestException($"cannot read {path}: {e.Message}", e);
        }
    }

    private static JsonElement? Parse(ReadOnlySpan<byte> line, string name, int number)
    {
        line = line.Trim(" \t\r"u8);
        if (line.IsEmpty) return null;
        if (!Utf8.IsValid(line)) throw NotUtf8(line, name, number);
        if (line.IndexOf(@"\u"u8) >= 0) line = Surrogates.Mend(line);
        try
        {
            var reader = new Utf8JsonReader(line, Options);
            var value = JsonElement.ParseValue(ref reader);
            return reader.BytesConsumed == line.Length || !reader.Read() ? value : throw new JsonException("more follows the value");
        }
        catch (JsonException e)
        {
            var mistake = JsonMistake.Find(line);
            throw new RequestException($"{name}:{number}:{Encoding.UTF8.GetCharCount(line[..mistake.Offset]) + 1}: not JSON: {mistake.What}", e);
        }
    }

    private static RequestException NotUtf8(ReadOnlySpan<byte> line, string name, int number)
    {
        var rest = line;
        var column = 1;
        while (Rune.DecodeFromUtf8(rest, out var rune, out var bytes) == OperationStatus.Done)
        {
            column += rune.Utf16SequenceLength;
            rest = rest[bytes..];
        }
        return new RequestException($"{name}:{number}:{column}: not UTF-8 text (byte 0x{rest[0]:X2}); save the file as UTF-8");
    }
}
