namespace LlmTune.Data;

/// <summary>Part of a document, or all of it.</summary>
public readonly record struct Slice(int Document, int Start, int Length);

/// <summary>How documents become rows.</summary>
public sealed record PlanSettings
{
    public PackingMode Packing { get; init; } = PackingMode.BestFit;

    /// <summary>Tokens of a row.</summary>
    public required int MaxLength { get; init; }

    /// <summary>Rows of an optimizer step: what lengths are grouped over.</summary>
    public int RowsPerStep { get; init; } = 1;

    public bool GroupByLength { get; init; } = true;

    public bool Shuffle { get; init; } = true;
}

/// <summary>The rows of one epoch, known before its first step.</summary>
public sealed class EpochPlan
{
    /// <summary>Best fit looks at so many documents at once: enough for full rows, few enough to keep the mixture even along the epoch.</summary>
    private const int Window = 8192;

    /// <summary>Lengths are sorted within so many steps, so that an order by length does not show in the loss.</summary>
    private const int StepsPerGroup = 50;

    private readonly Slice[] _slices;
    private readonly int[] _bounds;

    private EpochPlan(List<Slice> slices, List<int> bounds, bool joined, PlanSettings settings)
    {
        _slices = [.. slices];
        _bounds = [.. bounds];
        Joined = joined;
        Tokens = slices.Sum(p => (long)p.Length);
        Fill = Rows == 0 ? 0 : (double)Tokens / ((long)Rows * settings.MaxLength);
        Padding = Waste(settings.RowsPerStep);
    }

    public int Rows => _bounds.Length - 1;

    /// <summary>Whether the slices of a row are one stream that attends across their borders.</summary>
    public bool Joined { get; }

    public long Tokens { get; }

    /// <summary>Rows of a cut stream that were left out because nothing in them is trained on, and their tokens.</summary>
    public (int Rows, long Tokens) LeftOut { get; private init; }

    /// <summary>Share of the rows' room that tokens take.</summary>
    public double Fill { get; }

    /// <summary>Share of padding that a trainer which pads the rows of a step to the longest would compute on; none is computed on here.</summary>
    public double Padding { get; }

    public ReadOnlySpan<Slice> Row(int row) => _slices.AsSpan(_bounds[row].._bounds[row + 1]);

    /// <summary>Optimizer steps of the epoch; the last may have fewer rows.</summary>
    public int Steps(int rowsPerStep) => (Rows + rowsPerStep - 1) / rowsPerStep;

    /// <summary>Lays documents into rows.</summary>
    /// <param name="order">The documents of the epoch, as <see cref="Mixture.Draw"/> gives them.</param>
    /// <param name="length">Length of a document.</param>
    /// <param name="hasTarget">Whether any token of a slice is trained on; null: rows are taken whatever they hold.</param>
    public static EpochPlan Of(
        ReadOnlySpan<int> order, Func<int, int> length, PlanSettings settings, ulong seed, int epoch, Func<Slice, bool>? hasTarget = null) => settings.Packing switch
        {
            PackingMode.BestFit => Packed(order, length, settings, SplitMix64.Of(seed, 4, (ulong)epoch)),
            PackingMode.Wrapped => Wrapped(order, length, settings, hasTarget ?? (_ => true)),
            _ => Single(order, length, settings, SplitMix64.Of(seed, 5, (ulong)epoch)),
        };

    private static EpochPlan Packed(ReadOnlySpan<int> order, Func<int, int> length, PlanSettings settings, SplitMix64 random)
    {
        var rows = new List<int[]>();
        for (var from = 0; from < order.Length; from += Window)
        {
            var window = order.Slice(from, Math.Min(Window, order.Length - from)).ToArray();
            var packed = BestFit.Pack(Array.ConvertAll(window, i => length(i)), settings.MaxLength);
            if (!settings.Shuffle) packed.Sort((a, b) => a.Min().CompareTo(b.Min()));
            rows.AddRange(packed.Select(row => row.ConvertAll(i => window[i]).ToArray()));
        }
        if (settings.Shuffle) random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(rows));
        return OfRows(rows, length, settings);
    }

    private static EpochPlan Single(ReadOnlySpan<int> order, Func<int, int> length, PlanSettings settings, SplitMix64 random)
    {
        int[] rows = [.. order];
        if (settings is { Shuffle: true, GroupByLength: true }) GroupByLength(rows, length, settings.RowsPerStep, random);
        return OfRows([.. rows.Select(r => new[] { r })], length, settings);
    }

    /// <summary>Steps of like lengths in random order; the one with the longest row comes first, so that memory is tried at once.</summary>
    private static void GroupByLength(int[] rows, Func<int, int> length, int step, SplitMix64 random)
    {
        var group = step * StepsPerGroup;
        for (var from = 0; from < rows.Length; from += group)
            rows.AsSpan(from, Math.Min(group, rows.Length - from)).Sort((a, b) => length(b).CompareTo(length(a)));
        var whole = rows.Length / step;
        var steps = Enumerable.Range(0, whole).ToArray();
        random.Shuffle(steps.AsSpan());
        var longest = steps.Select((s, at) => (Length: length(rows[s * step]), At: at)).DefaultIfEmpty().MaxBy(x => x.Length).At;
        if (whole > 0) (steps[0], steps[longest]) = (steps[longest], steps[0]);
        int[] grouped = [.. steps.SelectMany(s => rows[(s * step)..((s + 1) * step)]), .. rows[(whole * step)..]];
        grouped.CopyTo(rows, 0);
    }

    private static EpochPlan Wrapped(ReadOnlySpan<int> order, Func<int, int> length, PlanSettings settings, Func<Slice, bool> hasTarget)
    {
        List<Slice> slices = [];
        List<int> bounds = [0];
        var leftOut = (Rows: 0, Tokens: 0L);
        var room = settings.MaxLength;
        foreach (var document in order)
        {
            for (var start = 0; start < length(document);)
            {
                var count = Math.Min(room, length(document) - start);
                slices.Add(new Slice(document, start, count));
                start += count;
                room -= count;
                if (room > 0) continue;
                EndRow();
                room = settings.MaxLength;
            }
        }
        if (bounds[^1] < slices.Count) EndRow();
        return new EpochPlan(slices, bounds, joined: true, settings) { LeftOut = leftOut };

        // Wherever the stream is cut: a row may lie wholly in a prompt.
        void EndRow()
        {
            var row = slices[bounds[^1]..];
            var first = row[0] with { Start = row[0].Start + 1, Length = row[0].Length - 1 };   // nothing predicts a row's first token
            if (hasTarget(first) || row.Skip(1).Any(hasTarget))
            {
                bounds.Add(slices.Count);
                return;
            }
            leftOut = (leftOut.Rows + 1, leftOut.Tokens + row.Sum(slice => (long)slice.Length));
            slices.RemoveRange(bounds[^1], row.Count);
        }
    }

    private static EpochPlan OfRows(List<int[]> rows, Func<int, int> length, PlanSettings settings)
    {
        List<Slice> slices = [];
        List<int> bounds = [0];
        foreach (var row in rows)
        {
            slices.AddRange(row.Select(document => new Slice(document, 0, length(document))));
            bounds.Add(slices.Count);
        }
        return new EpochPlan(slices, bounds, joined: false, settings);
    }

    private double Waste(int step)
    {
        long padded = 0;
        for (var from = 0; from < Rows; from += step)
        {
            var count = Math.Min(step, Rows - from);
            padded += (long)count * Enumerable.Range(from, count).Max(Length);
        }
        return padded == 0 ? 0 : 1 - ((double)Tokens / padded);
    }

    private int Length(int row)
    {
        var sum = 0;
        foreach (var slice in Row(row)) sum += slice.Length;
        return sum;
    }
}
