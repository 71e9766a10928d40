using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using LlmTune.Io;

namespace LlmTune.Data.Sources;

/// <summary>What of a text file is one document.</summary>
public enum TextUnit
{
    /// <summary>The whole file as it stands, blank lines and all: what a book or a source file is.</summary>
    File,

    /// <summary>Each line; blank lines are passed over.</summary>
    Line,

    /// <summary>What stands between blank lines.</summary>
    Paragraph,

    /// <summary>Each line with its line end, blank ones too: what a tokenizer learns from.</summary>
    WholeLine,
}

/// <summary>Text files: rows with the one column <c>text</c>. Nothing is trimmed but the line ends at the bounds of a document.</summary>
internal static class TextRows
{
    public static IEnumerable<Row> Read(Stream stream, string file, TextUnit unit)
    {
        if (unit == TextUnit.File)
        {
            using var whole = new MemoryStream();
            stream.CopyTo(whole);
            if (whole.Length > 0) yield return Document(whole.GetBuffer().AsSpan(0, (int)whole.Length), file, 1);
            yield break;
        }
        var reader = new LineReader(stream);
        while (Next(reader, file, unit) is { } row)
            yield return row;
    }

    private static Row? Next(LineReader reader, string file, TextUnit unit)
    {
        List<byte>? paragraph = null;
        long first = 0;
        while (reader.Next())
        {
            if (unit == TextUnit.WholeLine) return Document(reader.HasEnd ? [.. reader.Current.Span, (byte)'\n'] : reader.Current.Span, file, reader.Number);
            var line = reader.Current.Span is [.. var body, (byte)'\r'] ? body : reader.Current.Span;
            var blank = line.IndexOfAnyExcept(" \t"u8) < 0;
            if (blank && paragraph is null) continue;
            if (blank) break;
            if (unit == TextUnit.Line) return Document(line, file, reader.Number);
            if (paragraph is null)
                (paragraph, first) = ([], reader.Number);
            else
                paragraph.Add((byte)'\n');
            paragraph.AddRange(line);
        }
        return paragraph is null ? null : Document(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(paragraph), file, first);
    }

    private static Row Document(ReadOnlySpan<byte> text, string file, long line)
    {
        if (!Utf8.IsValid(text))
        {
            var valid = ValidPrefix(text);
            return Row.Bad(file, line + text[..valid].Count((byte)'\n'), "is not UTF-8; convert the file, for example with iconv");
        }
        return new Row(JsonSerializer.SerializeToElement(new Dictionary<string, string> { ["text"] = Encoding.UTF8.GetString(text) }), file, line);
    }

    private static int ValidPrefix(ReadOnlySpan<byte> text)
    {
        var at = 0;
        while (Rune.DecodeFromUtf8(text[at..], out _, out var used) == System.Buffers.OperationStatus.Done) at += used;
        return at;
    }
}
