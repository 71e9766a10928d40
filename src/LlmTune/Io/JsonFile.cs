using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace LlmTune.Io;

/// <summary>JSON files that are read as a whole.</summary>
internal static class JsonFile
{
    /// <exception cref="RequestException">Not there, a pointer of Git LFS, not UTF-8, or not JSON; the message names file, line and column.</exception>
    public static JsonElement Read(string file)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RequestException($"{file} cannot be read: {e.Message}", e);
        }
        LfsPointer.Refuse(file, bytes);
        return Parse(bytes, file);
    }

    /// <summary>The value of a text, of which a byte order mark is taken off. Python's words for numbers are taken too.</summary>
    /// <param name="file">For messages.</param>
    /// <exception cref="RequestException">Not UTF-8, or not JSON.</exception>
    public static JsonElement Parse(ReadOnlySpan<byte> content, string file)
    {
        if (content.StartsWith("\uFEFF"u8)) content = content[3..];
        if (content.IndexOfAnyExcept(" \t\r\n"u8) < 0) throw new RequestException($"{file} is empty, expected JSON");
        if (!Utf8.IsValid(content)) throw new RequestException($"{file}:{BadUtf8Line(content)}: the file is not UTF-8; it is damaged or not JSON");
        try
        {
            return JsonElement.Parse(content);
        }
        catch (JsonException e)
        {
            if (PythonJson.TryParse(content, out var value)) return value;
            var mistake = JsonMistake.Find(content);
            var before = content[..mistake.Offset];
            var column = Encoding.UTF8.GetCharCount(before[(before.LastIndexOf((byte)'\n') + 1)..]) + 1;
            throw new RequestException($"{file}:{before.Count((byte)'\n') + 1}:{column}: not JSON: {mistake.What}", e);
        }
    }

    private static int BadUtf8Line(ReadOnlySpan<byte> bytes)
    {
        var line = 1;
        while (true)
        {
            var end = bytes.IndexOf((byte)'\n');
            if (end < 0 || !Utf8.IsValid(bytes[..end])) return line;
            bytes = bytes[(end + 1)..];
            line++;
        }
    }
}
