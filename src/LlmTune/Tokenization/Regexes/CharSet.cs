using System.Collections.Concurrent;
using System.Globalization;

namespace LlmTune.Tokenization;

/// <summary>A set of characters: a bit each for the first 65,536, a test for the others.</summary>
internal sealed class CharSet
{
    private static readonly ConcurrentDictionary<string, CharSet> Named = new(StringComparer.Ordinal);

    private readonly ulong[] _bits;
    private readonly Func<int, bool> _beyond;

    private CharSet(ulong[] bits, Func<int, bool> beyond) => (_bits, _beyond) = (bits, beyond);

    public static CharSet None { get; } = Of(_ => false);

    public static CharSet Of(Func<int, bool> test)
    {
        var bits = new ulong[65536 / 64];
        for (var c = 0; c < 65536; c++)
        {
            if (test(c)) bits[c >> 6] |= 1UL << c;
        }
        return new CharSet(bits, test);
    }

    public static CharSet Range(int first, int last)
    {
        var bits = new ulong[65536 / 64];
        for (var c = first; c <= Math.Min(last, 65535); c++) bits[c >> 6] |= 1UL << c;
        return new CharSet(bits, last < 65536 ? _ => false : c => c >= first && c <= last);
    }

    /// <summary>A set that many patterns use, made once.</summary>
    public static CharSet OfName(string name, Func<int, bool> test) => Named.GetOrAdd(name, _ => Of(test));

    public static CharSet OfCategories(string name, params UnicodeCategory[] categories)
    {
        var mask = 0u;
        foreach (var category in categories) mask |= 1u << (int)category;
        return OfName(name, c => (mask >> (int)CharUnicodeInfo.GetUnicodeCategory(c) & 1) != 0);
    }

    public CharSet Union(CharSet other) => Combine(other, (a, b) => a | b, (a, b) => a || b);

    public CharSet Intersect(CharSet other) => Combine(other, (a, b) => a & b, (a, b) => a && b);

    public CharSet Negate() => new([.. _bits.Select(bits => ~bits)], c => !_beyond(c));

    public bool Contains(int c) => c < 65536 ? (_bits[c >> 6] >> c & 1) != 0 : _beyond(c);

    /// <summary>Whether the character at a place is in the set, and how many units it has.</summary>
    public bool At(ReadOnlySpan<char> text, int index, out int length)
    {
        var c = text[index];
        length = 1;
        if (!char.IsHighSurrogate(c) || index + 1 >= text.Length || !char.IsLowSurrogate(text[index + 1])) return (_bits[c >> 6] >> c & 1) != 0;
        length = 2;
        return _beyond(char.ConvertToUtf32(c, text[index + 1]));
    }

    private CharSet Combine(CharSet other, Func<ulong, ulong, ulong> bits, Func<bool, bool, bool> tests)
    {
        var (mine, theirs) = (_beyond, other._beyond);
        return new CharSet([.. _bits.Zip(other._bits, bits)], c => tests(mine(c), theirs(c)));
    }
}
