using System.Runtime.InteropServices;
using System.Text;

namespace LlmTune.Io;

/// <summary>
/// Files that are either wholly there or not at all, whatever happens: written under another name beside their place, flushed to
/// the disk, renamed, and the folder flushed. A file that is there already is replaced; who has it open or mapped keeps the old one.
/// </summary>
public static partial class AtomicFile
{
    public static void WriteText(string path, string text) => WriteBytes(path, Encoding.UTF8.GetBytes(text));

    public static void WriteBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <param name="content">Writes the content; if it throws, nothing has changed. The stream is not buffered.</param>
    /// <exception cref="RunException">The file cannot be written.</exception>
    public static void Write(string path, Action<Stream> content)
    {
        var full = Path.GetFullPath(path);
        var folder = Path.GetDirectoryName(full) ?? throw new RequestException($"{path} is no file name");
        var staged = Path.Combine(folder, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}.tmp");
        try
        {
            Directory.CreateDirectory(folder);
            using (var stream = new FileStream(staged, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                content(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(staged, full, overwrite: true);
            FlushFolder(folder);
        }
        catch (Exception e)
        {
            Delete(staged);
            if (e is IOException or UnauthorizedAccessException) throw new RunException($"cannot write {path}: {e.Message}", e);
            throw;
        }
    }

    /// <summary>Makes renames and new names in a folder outlast a power failure. Windows does so by itself.</summary>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;
        var descriptor = OpenFolder(folder, 0);
        if (descriptor < 0) return;   // a folder that may be written but not read cannot be flushed
        _ = FSync(descriptor);
        _ = Close(descriptor);
    }

    private static void Delete(string staged)
    {
        try
        {
            File.Delete(staged);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What stopped the writing is what is reported.
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFolder(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
