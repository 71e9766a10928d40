using System.Text;
using LlmTune.Io;

namespace LlmTune.Data.Sources;

/// <summary>Files as streams of what they mean: decompressed, and for text files UTF-8 without a byte order mark.</summary>
internal static class Opened
{
    /// <summary>The bytes of a file, decompressed if it is named .gz or .zst.</summary>
    /// <exception cref="RequestException">It is a pointer of Git LFS.</exception>
    public static Stream Bytes(string path, ReadPosition position)
    {
        LfsPointer.Refuse(path);
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        position.Begin(file);
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".gz" => new GzipStream(file),
            ".zst" => new ZstdSharp.DecompressionStream(file),
            _ => file,
        };
    }

    /// <summary>
    /// Text as UTF-8. A byte order mark decides: UTF-8's is taken off, UTF-16 is converted; UTF-16 without one is refused, because
    /// every byte of it is also valid UTF-8.
    /// </summary>
    /// <exception cref="RequestException">UTF-16 without a byte order mark.</exception>
    public static Stream Text(Stream bytes, string file)
    {
        var peeked = new PeekedStream(bytes);
        switch (peeked.Head(4))
        {
            case [0xEF, 0xBB, 0xBF, ..]:
                peeked.Skip(3);
                return peeked;
            case [0xFF, 0xFE, ..]:
                peeked.Skip(2);
                return Encoding.CreateTranscodingStream(peeked, new UnicodeEncoding(bigEndian: false, false, throwOnInvalidBytes: true), Encoding.UTF8);
            case [0xFE, 0xFF, ..]:
                peeked.Skip(2);
                return Encoding.CreateTranscodingStream(peeked, new UnicodeEncoding(bigEndian: true, false, throwOnInvalidBytes: true), Encoding.UTF8);
            case [0, not 0, 0, not 0] or [not 0, 0, not 0, 0]:
                throw new RequestException($"{file} looks like UTF-16 without a byte order mark; save it as UTF-8");
            default:
                return peeked;
        }
    }
}
