using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmTune.Data;

/// <summary>Writes a token file beside its final name and puts it there only when it is whole.</summary>
internal sealed class TokenWriter : IDisposable
{
    private readonly string _path;
    private readonly string _partial;
    private readonly FileStream _file;
    private readonly XxHash128 _checksum = new();
    private readonly List<StoredDocument> _documents = [];
    private readonly bool _durable;
    private long _tokens;

    /// <param name="durable">Whether the file is to outlast a power failure.</param>
    public TokenWriter(string path, bool durable = true)
    {
        (_path, _durable) = (path, durable);
        _partial = $"{path}.{Environment.ProcessId}.{Guid.NewGuid():N}.partial";
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        _file = new FileStream(_partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
    }

    public int Count => _documents.Count;

    public void Add(Tokens tokens, ulong content, int file, long line)
    {
        var (count, answers) = (tokens.Ids.Length, tokens.Answers.Count);
        var buffer = ArrayPool<int>.Shared.Rent(answers + count);
        for (var a = 0; a < answers; a++) buffer[a] = tokens.Answers[a];
        for (var t = 0; t < count; t++) buffer[answers + t] = tokens.Trained[t] ? tokens.Ids[t] : ~tokens.Ids[t];
        Write(MemoryMarshal.AsBytes(buffer.AsSpan(0, answers + count)));
        ArrayPool<int>.Shared.Return(buffer);
        if (tokens.Weights is { } weights) Write(MemoryMarshal.AsBytes(weights.AsSpan()));
        var verdict = tokens.Desirable switch { null => Verdict.None, true => Verdict.Desirable, false => Verdict.Undesirable };
        _documents.Add(new StoredDocument(
            _tokens + answers, content, line, tokens.Length, tokens.TrainedCount, file, tokens.Prompt, answers, verdict,
            tokens.Weights is null ? 0 : 1));
        _tokens += answers + count + (tokens.Weights?.Length ?? 0);
    }

    /// <summary>Writes what follows the tokens and moves the file to its name.</summary>
    public void Finish(StoreHeader header)
    {
        Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_documents)));
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        Write(json);
        Span<byte> footer = stackalloc byte[TokenStore.FooterSize];
        var checksum = _checksum.GetCurrentHashAsUInt128();
        BinaryPrimitives.WriteInt64LittleEndian(footer, _tokens);
        BinaryPrimitives.WriteInt64LittleEndian(footer[8..], _documents.Count);
        BinaryPrimitives.WriteInt64LittleEndian(footer[16..], json.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(footer[24..], (ulong)(checksum >> 64));
        BinaryPrimitives.WriteUInt64LittleEndian(footer[32..], (ulong)checksum);
        _file.Write(footer);
        _file.Flush(flushToDisk: _durable);
        _file.Dispose();
        try
        {
            File.Move(_partial, _path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && File.Exists(_path))
        {
            // Where open files cannot be replaced, another process has the same tokens there and is using them.
        }
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        _checksum.Append(bytes);
        _file.Write(bytes);
    }

    public void Dispose()
    {
        _file.Dispose();
        if (File.Exists(_partial)) File.Delete(_partial);
    }
}
