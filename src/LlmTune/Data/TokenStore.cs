using System.IO.Hashing;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmTune.Data;

/// <summary>What is known of a stored document without reading its tokens.</summary>
/// <param name="Offset">Its first token in the file.</param>
/// <param name="Content">Identity of its content, before it was rendered.</param>
/// <param name="Length">Its tokens in a batch.</param>
/// <param name="Trained">How many of its tokens are trained on.</param>
/// <param name="File">Number of its file in the source.</param>
/// <param name="Line">Line (or row) on which it begins.</param>
/// <param name="Prompt">Of judged answers how many tokens their prompt has; it is stored once, and stands in a batch before each of them.</param>
/// <param name="Answers">How many judged answers; 0 of an example to imitate.</param>
/// <param name="Weighted">1 if a weight for each token follows the tokens.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct StoredDocument(
    long Offset, ulong Content, long Line, int Length, int Trained, int File, int Prompt = 0, int Answers = 0, Verdict Verdict = Verdict.None,
    int Weighted = 0);

/// <summary>What is said of an answer that is judged alone.</summary>
public enum Verdict
{
    None,
    Undesirable,
    Desirable,
}

/// <summary>What a token file says beside its tokens.</summary>
/// <param name="Key">What the tokens were made of; another key is another file.</param>
/// <param name="Files">All files of the source, in its order.</param>
internal sealed record StoreHeader(string Key, SourceReport Report, IReadOnlyList<string> Files, bool ByLine)
{
    /// <summary>With other names for the files, also in what is said of rows.</summary>
    public StoreHeader OfFiles(string label, IReadOnlyList<string> files)
    {
        return this with
        {
            Files = files,
            Report = Report with
            {
                Label = label,
                Malformed = Renamed(Report.Malformed),
                TooLong = Renamed(Report.TooLong),
                NothingToTrain = Renamed(Report.NothingToTrain),
                Truncated = Renamed(Report.Truncated),
                Merged = Renamed(Report.Merged),
                LeftOut = Report.LeftOut.ToDictionary(part => part.Key, part => Renamed(part.Value)),
                BrokenArguments = Renamed(Report.BrokenArguments),
            },
        };

        Tally Renamed(Tally tally) => tally with { First = [.. tally.First.Select(Place)] };

        string Place(string text)
        {
            var file = Enumerable.Range(0, Files.Count).Where(f => text.StartsWith(Files[f], StringComparison.Ordinal)).DefaultIfEmpty(-1).MaxBy(f => f < 0 ? -1 : Files[f].Length);
            return file < 0 ? text : files[file] + text[Files[file].Length..];
        }
    }
}

/// <summary>
/// The tokenized documents of one source in a memory-mapped file, so that memory stays flat however many there are. A token is four
/// bytes: its id, or the complement of it (−1 − id) where it is not trained on. Before a prompt with judged answers stand the lengths
/// of these; behind a document whose tokens do not all count once their weights, as float32. After the tokens come the documents' table, the header as JSON and a footer with sizes and a checksum of all.
/// </summary>
internal sealed unsafe class TokenStore : IDisposable
{
    internal const int FooterSize = 40;

    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly StoredDocument[] _documents;

    private TokenStore(MemoryMappedFile map, MemoryMappedViewAccessor view, StoredDocument[] documents, StoreHeader header) =>
        (_map, _view, _documents, Header) = (map, view, documents, header);

    public StoreHeader Header { get; }

    /// <summary>Whether an earlier run made it.</summary>
    public bool IsKept { get; private init; }

    public int Count => _documents.Length;

    public ref readonly StoredDocument this[int index] => ref _documents[index];

    /// <summary>Copies out part of a document. The mapping is held while it is read, so that a reader in the background may outlast the store.</summary>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public void Read(int index, int start, Span<int> ids, Span<bool> trained)
    {
        byte* file = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref file);
        try
        {
            var source = new ReadOnlySpan<int>((int*)file + _documents[index].Offset + start, ids.Length);
            for (var t = 0; t < ids.Length; t++)
            {
                trained[t] = source[t] >= 0;
                ids[t] = source[t] ^ (source[t] >> 31);
            }
        }
        finally
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    /// <summary>Whether any token in a part of a document is trained on.</summary>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public bool AnyTrained(int index, int start, int length)
    {
        byte* file = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref file);
        try
        {
            return new ReadOnlySpan<int>((int*)file + _documents[index].Offset + start, length).ContainsAnyInRange(0, int.MaxValue);
        }
        finally
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    /// <summary>Copies out what the tokens of a part of a document count; null where each counts once.</summary>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public float[]? ReadWeights(int index, int start, int length)
    {
        if (_documents[index].Weighted == 0) return null;
        byte* file = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref file);
        try
        {
            return new ReadOnlySpan<float>((float*)file + _documents[index].Offset + _documents[index].Length + start, length).ToArray();
        }
        finally
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    /// <summary>The tokens of an earlier run, said to come from a source's files as they are called now.</summary>
    public TokenStore OfFiles(string label, IReadOnlyList<string> files) => new(_map, _view, _documents, Header.OfFiles(label, files)) { IsKept = true };

    /// <summary>A prompt with its judged answers.</summary>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public Tokens Judged(int index)
    {
        var stored = _documents[index];
        var count = stored.Length - ((stored.Answers - 1) * stored.Prompt);
        var (ids, trained, lengths) = (new int[count], new bool[count], new int[stored.Answers]);
        Read(index, -stored.Answers, lengths, new bool[stored.Answers]);
        Read(index, 0, ids, trained);
        bool? desirable = stored.Verdict == Verdict.None ? null : stored.Verdict == Verdict.Desirable;
        return new Tokens(ids, trained) { Answers = lengths, Desirable = desirable };
    }

    /// <summary>Answers of the prompt that has most of them.</summary>
    public int MostAnswers() => _documents.Select(document => document.Answers).DefaultIfEmpty().Max();

    /// <summary>Opens a token file; null where it is not there, is damaged, or was made of something else.</summary>
    public static TokenStore? Open(string path, string key)
    {
        if (!File.Exists(path) || new FileInfo(path).Length is var size && size < FooterSize) return null;
        var map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        var view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* file = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref file);
        try
        {
            if (Parse(file, size) is var (documents, header) && header.Key == key) return new TokenStore(map, view, documents, header);
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
        view.Dispose();
        map.Dispose();
        return null;
    }

    /// <summary>The table and the header of a file that is whole; null where its sizes or its checksum are wrong.</summary>
    private static (StoredDocument[] Documents, StoreHeader Header)? Parse(byte* file, long size)
    {
        var footer = MemoryMarshal.Cast<byte, ulong>(new ReadOnlySpan<byte>(file + size - FooterSize, FooterSize));
        var (tokens, documents, header) = (footer[0], footer[1], footer[2]);
        var body = size - FooterSize;
        if (tokens > (ulong)size || documents > (ulong)size || header > (ulong)size) return null;
        if ((ulong)body != (tokens * sizeof(int)) + (documents * (ulong)sizeof(StoredDocument)) + header) return null;
        if (Checksum(file, body) != new UInt128(footer[3], footer[4])) return null;
        var table = new ReadOnlySpan<StoredDocument>(file + (tokens * sizeof(int)), (int)documents).ToArray();
        return (table, JsonSerializer.Deserialize<StoreHeader>(new ReadOnlySpan<byte>(file + body - (long)header, (int)header))!);
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
        _view.Dispose();
        _map.Dispose();
    }
}
