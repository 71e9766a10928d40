namespace LlmTune.Tokenization.Templates;

internal static class Sorting
{
    /// <summary>
    /// Merge sort: stable, and at ease with an order that contradicts itself (NaN) or fails half-way (numbers among text), which templates may
    /// well ask for.
    /// </summary>
    public static void Stable<T>(T[] items, Func<T, T, bool> precedes) => Sort(items, new T[items.Length], 0, items.Length, precedes);

    private static void Sort<T>(T[] items, T[] space, int start, int end, Func<T, T, bool> precedes)
    {
        if (end - start < 2) return;
        var middle = (start + end) / 2;
        Sort(items, space, start, middle, precedes);
        Sort(items, space, middle, end, precedes);
        var (left, right) = (start, middle);
        for (var at = start; at < end; at++)
            space[at] = right == end || (left < middle && !precedes(items[right], items[left])) ? items[left++] : items[right++];
        Array.Copy(space, start, items, start, end - start);
    }
}
