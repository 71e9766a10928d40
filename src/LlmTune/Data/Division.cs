namespace LlmTune.Data;

/// <summary>Documents divided into those to train on and those held out.</summary>
/// <param name="Training">A list for each source that is trained on.</param>
/// <param name="Duplicates">For each source how many of its documents say what an earlier one of the same part says.</param>
/// <param name="HeldOut">For each source how many of its documents are held out.</param>
/// <param name="Overlap">How many of the held-out documents also stand among those trained on.</param>
/// <param name="TrainedWhole">Contents of documents that are trained on from beginning to end.</param>
internal sealed record Division(IReadOnlyList<int[]> Training, int[] Eval, int[] Duplicates, int[] HeldOut, int Overlap, IReadOnlySet<ulong> TrainedWhole)
{
    /// <param name="contents">Identity of each document's content.</param>
    /// <param name="starts">First document of each source, and their number.</param>
    /// <param name="training">The first so many sources are trained on, the others are held out as a whole.</param>
    /// <param name="deduplicate">Whether duplicates are left out.</param>
    /// <param name="isCut">Documents of which the end is held out: they are neither held out whole nor trained on whole.</param>
    public static Division Of(
        ulong[] contents, IReadOnlyList<int> starts, int training, EvalConfig? eval, bool deduplicate, Predicate<int> isCut)
    {
        var held = Held(contents.AsSpan(0, starts[training]), eval);
        HashSet<ulong> seen = [], seenHeld = [], whole = [];
        var lists = new int[training][];
        List<int> heldOut = [];
        var duplicates = new int[starts.Count - 1];
        var counts = new int[starts.Count - 1];
        for (var s = 0; s < duplicates.Length; s++)
        {
            List<int> list = [];
            for (var document = starts[s]; document < starts[s + 1]; document++)
            {
                var isHeld = s >= training || (held[document] && !isCut(document));
                if (!isHeld && !isCut(document)) whole.Add(contents[document]);
                var fresh = (isHeld ? seenHeld : seen).Add(contents[document]);
                if (!fresh) duplicates[s]++;
                if (isHeld) counts[s]++;
                if (fresh || !deduplicate) (isHeld ? heldOut : list).Add(document);
            }
            if (s < training) lists[s] = [.. list];
        }
        return new Division(lists, [.. heldOut], duplicates, counts, heldOut.Count(d => seen.Contains(contents[d])), whole);
    }

    private static bool[] Held(ReadOnlySpan<ulong> contents, EvalConfig? eval) => eval switch
    {
        { Fraction: { } fraction } => Holdout.Fraction(contents, fraction),
        { Count: { } count } => Holdout.Count(contents, count),
        _ => new bool[contents.Length],
    };
}
