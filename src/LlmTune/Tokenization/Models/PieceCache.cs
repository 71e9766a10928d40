using System.Numerics;
using System.Runtime.InteropServices;

namespace LlmTune.Tokenization;

/// <summary>
/// The ids of short pieces met before, and their spans where these were asked for. One slot a hash, the last piece wins: bounded, and safe for many threads without a lock,
/// because entries never change.
/// </summary>
internal sealed class PieceCache
{
    public const int LongestPiece = 48;
    private const int Slots = 1 << 16;

    private readonly Entry?[] _slots = new Entry?[Slots];

    /// <summary>Adds the tokens of a piece that begins at <paramref name="offset"/>, if they are known.</summary>
    public bool TryAdd(ReadOnlySpan<char> piece, int offset, TokenSink sink)
    {
        var entry = _slots[Slot(piece)];
        if (entry is null || !piece.SequenceEqual(entry.Piece) || (sink.Spans is not null && entry.Spans is null)) return false;
        sink.Ids.AddRange(entry.Ids);
        if (sink.Spans is not { } spans) return true;
        foreach (var span in entry.Spans!) spans.Add(new TextSpan(offset + span.Start, offset + span.End));
        return true;
    }

    /// <summary>Keeps the last tokens of <paramref name="sink"/>, those from <paramref name="first"/> on, as those of a piece.</summary>
    public void Keep(ReadOnlySpan<char> piece, int offset, TokenSink sink, int first)
    {
        var spans = sink.Spans is null ? null : CollectionsMarshal.AsSpan(sink.Spans)[first..].ToArray();
        foreach (ref var span in spans.AsSpan()) span = new TextSpan(span.Start - offset, span.End - offset);
        _slots[Slot(piece)] = new Entry(piece.ToString(), CollectionsMarshal.AsSpan(sink.Ids)[first..].ToArray(), spans);
    }

    private static int Slot(ReadOnlySpan<char> piece)
    {
        const ulong Multiplier = 0x9E3779B97F4A7C15;
        var bytes = MemoryMarshal.AsBytes(piece);
        var hash = (ulong)bytes.Length;
        while (bytes.Length >= 8)
        {
            hash = (BitOperations.RotateLeft(hash, 29) ^ MemoryMarshal.Read<ulong>(bytes)) * Multiplier;
            bytes = bytes[8..];
        }
        var rest = 0UL;
        foreach (var c in MemoryMarshal.Cast<byte, char>(bytes)) rest = rest << 16 | c;
        hash = (BitOperations.RotateLeft(hash, 29) ^ rest) * Multiplier;
        return (int)(hash >> 48) & (Slots - 1);
    }

    private sealed class Entry(string piece, int[] ids, TextSpan[]? spans)
    {
        public readonly string Piece = piece;
        public readonly int[] Ids = ids;
        public readonly TextSpan[]? Spans = spans;
    }
}
