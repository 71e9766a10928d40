using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace LlmTune.Io;

/// <summary>
/// Appends one object a line, each in a single write, so that a run which is killed leaves whole lines but for the last; a last
/// line that was left without its end is removed on opening. Numbers that are not finite become "NaN", "Infinity", "-Infinity".
/// </summary>
public sealed class JsonLinesWriter : IDisposable
{
    private static readonly JsonSerializerOptions Options = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

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
