namespace LlmTune.Data;

/// <summary>Which documents are held out: by the hash of what they say, so that neither order nor other rows change the choice.</summary>
public static class Holdout
{
    private const ulong Salt = 0x6576616C;

    /// <summary>This share of the documents, in expectation.</summary>
    public static bool[] Fraction(ReadOnlySpan<ulong> contents, double fraction)
    {
        var held = new bool[contents.Length];
        for (var i = 0; i < held.Length; i++) held[i] = SplitMix64.Uniform(Place(contents[i])) < fraction;
        return held;
    }

    /// <summary>So many documents; equal ones stay together, so it may be a few more.</summary>
    /// <exception cref="RequestException">There are not more documents than that.</exception>
    public static bool[] Count(ReadOnlySpan<ulong> contents, int count)
    {
        if (count >= contents.Length)
        {
            throw new RequestException(contents.Length == 1
                ? "data.eval.count holds out whole examples, and there is one; data.eval.fraction with data.packing: wrapped holds out the end of a long text"
                : FormattableString.Invariant($"data.eval.count is {count:N0} and there are {contents.Length:N0} examples: nothing would be left to train on"));
        }
        var places = new ulong[contents.Length];
        for (var i = 0; i < places.Length; i++) places[i] = Place(contents[i]);
        ulong[] sorted = [.. places];
        Array.Sort(sorted);
        var last = sorted[count - 1];
        return Array.ConvertAll(places, place => place <= last);
    }

    private static ulong Place(ulong content) => SplitMix64.Hash(Salt, content);
}
