namespace LlmTune.Data;

/// <summary>A small generator (SplitMix64, Steele, Lea and Flood 2014): the same numbers on every machine and version.</summary>
internal struct SplitMix64(ulong state)
{
    private ulong _state = state;

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        return Mix(_state);
    }

    /// <summary>A whole number from 0 to below the bound (multiply and shift: the bias is below 2⁻³²).</summary>
    public int Below(int bound) => (int)(((Next() >> 32) * (ulong)bound) >> 32);

    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = Below(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A generator for a purpose that numbers name.</summary>
    public static SplitMix64 Of(ulong seed, params ReadOnlySpan<ulong> numbers) => new(Hash(seed, numbers));

    public static ulong Hash(ulong seed, params ReadOnlySpan<ulong> numbers)
    {
        var hash = Mix(seed + 0x9E3779B97F4A7C15);
        foreach (var number in numbers) hash = Mix((hash ^ number) + 0x9E3779B97F4A7C15);
        return hash;
    }

    /// <summary>A hash as a number in [0, 1).</summary>
    public static double Uniform(ulong hash) => (hash >> 11) * (1.0 / (1UL << 53));
}
