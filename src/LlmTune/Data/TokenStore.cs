using System.IO.Hashing;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmTune.Data;

/// <summary>What is known of a stored document without reading its tokens.</summary>
/// <param name="Offset">Its first token in the file.</param>
/// <param name="Content">Identity of its content, before it was rendered.</param>
/// <param name="Trained">How many of its tokens are trained on.</param>
/// <param name="File">Number of its file in the source.</param>
/// <param name="Line">Line (or row) on which it begins.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct StoredDocument(long Offset, ulong Content, long Line, int Length, int Trained, int File, int Reserved = 0);

/// <summary>What a token file says beside its tokens.</summary>
/// <param name="Key">What the tokens were made of; another key is another file.</param>
internal sealed record StoreHeader(string Key, SourceReport Report, IReadOnlyList<string> Files, bool ByLine);

/// <summary>
/// The tokenized documents of one source in a memory-mapped file, so that memory stays flat however many there are. A token is four
/// bytes: its id, or the complement of it (−1 − id) where it is not trained on. After the tokens come the documents' table, the header
/// as JSON and a footer with sizes and a checksum of all.
/// </summary>
internal sealed unsafe class TokenStore : IDisposable
{
    internal const int FooterSize = 40;

    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly int* _tokens;
    private readonly StoredDocument[] _documents;

    private TokenStore(MemoryMappedFile? map, MemoryMappedViewAccessor? view, int* tokens, StoredDocument[] documents, StoreHeader header)
    {
        (_map, _view, _documents, Header) = (map, view, documents, header);
        _tokens = tokens;
    }

    public StoreHeader Header { get; }

    public int Count => _documents.Length;

    public ref readonly StoredDocument this[int index] => ref _documents[index];

    /// <summary>Copies out part of a document.</summary>
    public void Read(int index, int start, Span<int> ids, Span<bool> trained)
    {
        var source = new ReadOnlySpan<int>(_tokens + _documents[index].Offset + start, ids.Length);
        for (var t = 0; t < ids.Length; t++)
        {
            trained[t] = source[t] >= 0;
            ids[t] = source[t] ^ (source[t] >> 31);
        }
    }

    /// <summary>Opens a token file; null where it is not there, is damaged, or was made of something else.</summary>
    public static TokenStore? Open(string path, string key)
    {
        if (!File.Exists(path) || new FileInfo(path).Length < FooterSize) return null;
        var map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        var view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        var size = new FileInfo(path).Length;
        var footer = MemoryMarshal.Cast<byte, ulong>(new ReadOnlySpan<byte>(start + size - FooterSize, FooterSize));
        var (tokens, documents, header) = (footer[0], footer[1], footer[2]);
        var body = size - FooterSize;
        var whole = tokens < (ulong)size && documents < (ulong)size && header <= int.MaxValue
            && (ulong)body == (tokens * sizeof(int)) + (documents * (ulong)sizeof(StoredDocument)) + header
            && Checksum(start, body) == new UInt128(footer[3], footer[4]);
        var read = whole ? JsonSerializer.Deserialize<StoreHeader>(new ReadOnlySpan<byte>(start + body - (long)header, (int)header)) : null;
        if (read?.Key != key)
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            map.Dispose();
            return null;
        }
        var table = new ReadOnlySpan<StoredDocument>(start + (tokens * sizeof(int)), (int)documents).ToArray();
        return new TokenStore(map, view, (int*)start, table, read);
    }

    private static UInt128 Checksum(byte* start, long length)
    {
        var hash = new XxHash128();
        for (long at = 0; at < length; at += 1 << 26)
            hash.Append(new ReadOnlySpan<byte>(start + at, (int)Math.Min(1 << 26, length - at)));
        return hash.GetCurrentHashAsUInt128();
    }

    public void Dispose()
    {
        if (_view is null) return;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map!.Dispose();
    }
}
