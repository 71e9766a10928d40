using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;

namespace LlmTune;

/// <summary>Every use of randomness has a generator of its own, derived from the run's seed and a label.</summary>
public static class Seeds
{
    /// <summary>A seed from a seed and a label: XXH3 of both.</summary>
    public static ulong Derive(long seed, string label) => XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(label), seed);

    /// <summary>A seed from a seed and numbers.</summary>
    public static ulong Derive(ulong seed, params ReadOnlySpan<ulong> numbers)
    {
        foreach (var number in numbers)
            seed = XxHash3.HashToUInt64(MemoryMarshal.AsBytes([number]), (long)seed);
        return seed;
    }

    /// <summary>A CPU generator for one purpose.</summary>
    public static Generator Generator(long seed, string label) => Generator(Derive(seed, label));

    /// <inheritdoc cref="Generator(long, string)"/>
    public static Generator Generator(ulong seed) => new(seed & long.MaxValue, CPU);
}
