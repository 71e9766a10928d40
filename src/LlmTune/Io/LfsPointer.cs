using System.Globalization;
using System.Text;

namespace LlmTune.Io;

/// <summary>
/// Pointers of Git LFS (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md): three lines of text that lie in the place of a file
/// where a repository was cloned without its large files.
/// </summary>
internal static class LfsPointer
{
    /// <summary>So many bytes of a file's beginning are enough; a pointer has about 130.</summary>
    public const int HeadBytes = 512;

    private static ReadOnlySpan<byte> Start => "version https://git-lfs.github.com/spec/"u8;

    /// <summary>Looks into a file before it is read as what its name says.</summary>
    /// <exception cref="RequestException">It is a pointer.</exception>
    public static void Refuse(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        var head = new byte[HeadBytes];
        Refuse(file, head.AsSpan(0, stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)));
    }

    /// <param name="file">For the message.</param>
    /// <param name="head">Its beginning, or all of it.</param>
    /// <exception cref="RequestException">It is a pointer.</exception>
    public static void Refuse(string file, ReadOnlySpan<byte> head)
    {
        if (!head.StartsWith(Start)) return;
        var lines = Encoding.UTF8.GetString(head[..Math.Min(head.Length, HeadBytes)]).Split('\n');
        var size = Array.Find(lines, line => line.StartsWith("size ", StringComparison.Ordinal));
        var whole = long.TryParse(size?["size ".Length..].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
            ? FormattableString.Invariant($" of {bytes:N0} bytes") : "";
        throw new RequestException(
            $"{file} is a pointer of Git LFS, not the file{whole} itself; fetch it with 'git lfs install' and 'git lfs pull' in its repository, "
            + "or download it anew (hf download)");
    }
}
