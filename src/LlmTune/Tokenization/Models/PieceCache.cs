using System.Numerics;
using System.Runtime.InteropServices;

namespace LlmTune.Tokenization;

/// <summary>
/// The ids of short pieces met before. One slot a hash, the last piece wins: bounded, and safe for many threads without a lock,
/// because entries never change.
/// </summary>
internal sealed class PieceCache
{
    public const int LongestPiece = 48;
    private const int Slots = 1 << 16;

    private readonly Entry?[] _slots = new Entry?[Slots];

    public bool TryGet(ReadOnlySpan<char> piece, out ReadOnlySpan<int> ids)
    {
        var entry = _slots[Slot(piece)];
        if (entry is not null && piece.SequenceEqual(entry.Piece))
        {
            ids = entry.Ids;
            return true;
        }
        ids = default;
        return false;
    }

    public void Add(ReadOnlySpan<char> piece, ReadOnlySpan<int> ids) => _slots[Slot(piece)] = new Entry(piece.ToString(), ids.ToArray());

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

    private sealed class Entry(string piece, int[] ids)
    {
        public readonly string Piece = piece;
        public readonly int[] Ids = ids;
    }
}
