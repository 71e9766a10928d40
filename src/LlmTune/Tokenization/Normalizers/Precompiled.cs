using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// SentencePiece's table of replacements as Hugging Face applies it: by grapheme clusters. One of fewer than six bytes is replaced
/// as a whole by the entry for its shortest prefix in the table, else each of its characters alone.
/// </summary>
internal sealed class Precompiled : TextNormalizer
{
    private readonly Charsmap _map;

    public Precompiled(JsonField field)
    {
        try
        {
            _map = new Charsmap(Convert.FromBase64String(field.Text()));
        }
        catch (FormatException e)
        {
            throw field.Error($"not a table of replacements: {e.Message}");
        }
    }

    public override void Apply(AlignedText text)
    {
        var changes = new List<Change>(text.Text.Length);
        var changed = false;
        for (var i = 0; i < text.Text.Length;)
        {
            var cluster = text.Text.AsSpan(i, StringInfo.GetNextTextElementLength(text.Text, i));
            i += cluster.Length;
            if (Encoding.UTF8.GetByteCount(cluster) < 6 && _map.ShortestPrefix(cluster) is { } whole)
            {
                Put(changes, cluster, whole);
                changed = true;
                continue;
            }
            for (var k = 0; k < cluster.Length;)
            {
                var rune = Utf16.RuneAt(cluster, k, out var length);
                if (_map.ShortestPrefix(cluster.Slice(k, length)) is { } single)
                {
                    Put(changes, cluster.Slice(k, length), single);
                    changed = true;
                }
                else
                {
                    changes.Add(new Change(rune, 0));
                }
                k += length;
            }
        }
        if (changed) text.Transform(changes);
    }

    /// <summary>The characters of the new text; those beyond the old ones' number are new, the last one stands for what is left.</summary>
    private static void Put(List<Change> changes, ReadOnlySpan<char> old, string replacement)
    {
        var (before, from) = (CountRunes(old), changes.Count);
        foreach (var rune in replacement.EnumerateRunes()) changes.Add(new Change(rune, 0));
        var count = changes.Count - from;
        for (var k = changes.Count - 1; k >= from + before; k--) changes[k] = changes[k] with { Delta = 1 };
        if (count < before && changes.Count > 0) changes[^1] = changes[^1] with { Delta = changes[^1].Delta + count - before };
    }

    private static int CountRunes(ReadOnlySpan<char> text)
    {
        var count = 0;
        foreach (var _ in text.EnumerateRunes()) count++;
        return count;
    }
}

/// <summary>
/// A double-array trie of UTF-8 texts and what stands in their place (SentencePiece's <c>precompiled_charsmap</c>): the size of
/// the trie in bytes, its 32-bit units, the replacements, each with a zero byte at its end.
/// </summary>
internal sealed class Charsmap
{
    private readonly uint[] _units;
    private readonly byte[] _texts;

    /// <exception cref="FormatException">Cut short.</exception>
    public Charsmap(ReadOnlySpan<byte> data)
    {
        if (data.Length < 8) throw new FormatException("it is cut short");
        var size = BinaryPrimitives.ReadUInt32LittleEndian(data);
        if (size % 4 != 0 || size < 4 || size > data.Length - 4)
        {
            throw new FormatException($"its trie has {size} bytes, but {data.Length - 4} are there: it is cut short or damaged");
        }
        _units = new uint[size / 4];
        for (var i = 0; i < _units.Length; i++) _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(data[(4 + 4 * i)..]);
        _texts = data[(4 + (int)size)..].ToArray();
    }

    /// <summary>What stands in the place of the shortest entry that the text begins with, null where none does.</summary>
    public string? ShortestPrefix(ReadOnlySpan<char> text)
    {
        Span<byte> bytes = text.Length <= 64 ? stackalloc byte[3 * text.Length] : new byte[3 * text.Length];
        bytes = bytes[..Encoding.UTF8.GetBytes(text, bytes)];
        return Match(bytes, longest: false, out var replacement) > 0 ? Encoding.UTF8.GetString(replacement) : null;
    }

    /// <summary>Follows the bytes through the trie.</summary>
    /// <returns>How many bytes the entry has, 0 if none matches.</returns>
    public int Match(ReadOnlySpan<byte> bytes, bool longest, out ReadOnlySpan<byte> replacement)
    {
        replacement = default;
        var length = 0;
        var node = Offset(_units[0]);
        for (var i = 0; i < bytes.Length; i++)
        {
            node ^= bytes[i];
            if (bytes[i] == 0 || node >= (uint)_units.Length) break;
            var unit = _units[node];
            if ((unit & 0x800000FF) != bytes[i]) break;
            node ^= Offset(unit);
            if ((unit >> 8 & 1) == 0 || node >= (uint)_units.Length) continue;
            var start = (int)Math.Min(_units[node] & 0x7FFFFFFF, (uint)_texts.Length);
            var text = _texts.AsSpan(start);
            var end = text.IndexOf((byte)0);
            replacement = end < 0 ? text : text[..end];
            length = i + 1;
            if (!longest) break;
        }
        return length;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1 << 9) >> 6);
}
