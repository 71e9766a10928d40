using System.Numerics;

namespace LlmTune.Data;

/// <summary>
/// Best-fit decreasing: the longest first, each into the row with the least room that suffices (of equal rooms the one that has had it
/// longest), else into a new row. The same as TRL's <c>bfd</c>.
/// </summary>
public static class BestFit
{
    /// <summary>Rows in the order in which they were opened, each with the positions of its lengths in the order of insertion.</summary>
    /// <param name="lengths">Each at most <paramref name="capacity"/>; nothing of length 0 is placed.</param>
    public static List<List<int>> Pack(ReadOnlySpan<int> lengths, int capacity)
    {
        // Sorted by descending length, then by position.
        var keys = new long[lengths.Length];
        for (var i = 0; i < keys.Length; i++)
        {
            if (lengths[i] > capacity) throw new ArgumentException($"length {lengths[i]} is larger than a row of {capacity}", nameof(lengths));
            keys[i] = ((long)(capacity - lengths[i]) << 32) | (uint)i;
        }
        Array.Sort(keys);

        List<List<int>> rows = [];
        var rooms = new Queue<int>?[capacity + 1];
        var used = new ulong[(capacity >> 6) + 1];
        foreach (var key in keys)
        {
            var i = (int)(uint)key;
            var length = lengths[i];
            if (length == 0) continue;
            var room = LeastRoom(used, length);
            int row;
            if (room < 0)
            {
                (room, row) = (capacity, rows.Count);
                rows.Add([]);
            }
            else
            {
                row = rooms[room]!.Dequeue();
                if (rooms[room]!.Count == 0) used[room >> 6] &= ~(1UL << (room & 63));
            }
            rows[row].Add(i);
            var left = room - length;
            (rooms[left] ??= []).Enqueue(row);
            used[left >> 6] |= 1UL << (left & 63);
        }
        return rows;
    }

    /// <summary>The smallest room at least so large that some row has; −1 if none.</summary>
    private static int LeastRoom(ulong[] used, int least)
    {
        var word = least >> 6;
        var bits = used[word] & (ulong.MaxValue << (least & 63));
        while (bits == 0)
        {
            if (++word == used.Length) return -1;
            bits = used[word];
        }
        return (word << 6) + BitOperations.TrailingZeroCount(bits);
    }
}
