using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
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
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
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
            var column = e.BytePositionInLine is { } position ? string.Create(CultureInfo.InvariantCulture, $":{Encoding.UTF8.GetCharCount(line[..(int)Math.Min(position, line.Length)]) + 1}") : "";
            throw new RequestException($"{name}:{number}{column}: not JSON: {Reason(e, line)}", e);
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

    private static string Reason(JsonException e, ReadOnlySpan<byte> line)
    {
        if (e.BytePositionInLine is { } position && position < line.Length)
        {
            if (line[(int)position..].StartsWith("NaN"u8)) return "NaN is no JSON number";
            if (line[(int)position..].StartsWith("Infinity"u8)) return "Infinity is no JSON number";
        }
        var end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return (end < 0 ? e.Message : e.Message[..end]).TrimEnd('.');
    }
}

/// <summary>
/// Appends one object a line, each in a single write, so that a run which is killed leaves whole lines but for the last; a last
/// line that was left without its end is removed on opening. Numbers that are not finite become "NaN", "Infinity", "-Infinity".
/// </summary>
public sealed class JsonLinesWriter : IDisposable
{
    private static readonly JsonSerializerOptions Options = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly FileStream _stream;

    private JsonLinesWriter(FileStream stream) => _stream = stream;

    /// <summary>Opens a file for appending, or makes it.</summary>
    public static JsonLinesWriter Append(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, bufferSize: 0);
            stream.SetLength(EndOfLastLine(stream));
            stream.Seek(0, SeekOrigin.End);
            return new JsonLinesWriter(stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunException($"cannot write {path}: {e.Message}", e);
        }
    }

    public void Write(JsonObject row) => _stream.Write(Encoding.UTF8.GetBytes(row.ToJsonString(Options) + "\n"));

    public void Dispose() => _stream.Dispose();

    private static long EndOfLastLine(FileStream stream)
    {
        var buffer = new byte[4096];
        for (var end = stream.Length; end > 0;)
        {
            var start = Math.Max(0, end - buffer.Length);
            stream.Seek(start, SeekOrigin.Begin);
            var piece = buffer.AsSpan(0, (int)(end - start));
            stream.ReadExactly(piece);
            if (piece.LastIndexOf((byte)'\n') is >= 0 and var last) return start + last + 1;
            end = start;
        }
        return 0;
    }
}
