using System.Collections.Frozen;

namespace LlmTune.Tokenization.Templates;

/// <summary>Methods of lists and tuples that change nothing.</summary>
internal static class SequenceMethods
{
    /// <summary>What the immutable sandbox refuses.</summary>
    public static readonly FrozenSet<string> Unsafe = FrozenSet.Create("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");

    private static readonly Function[] Common =
    [
        new("count", ["self", "value"], 2, (r, a) => Items(a, r).LongCount(i => Py.Equal(i, a[1], r))),
        new("index", ["self", "value", "start", "stop"], 2, (r, a) => Index(Items(a, r), a[1], a.Integer(2, 0), a.Integer(3, long.MaxValue), r)),
    ];

    public static readonly FrozenDictionary<string, Function> Tuple = Common.ToFrozenDictionary(f => f.Name);

    public static readonly FrozenDictionary<string, Function> List =
        Common.Append(new Function("copy", ["self"], 1, (r, a) => Py.List(a[0], r))).ToFrozenDictionary(f => f.Name);

    private static IReadOnlyList<object?> Items(object?[] a, Rendering r)
    {
        var items = Py.Sequence(a[0])!;
        r.Charge(items.Count);
        return items;
    }

    private static long Index(IReadOnlyList<object?> items, object? value, long start, long stop, Rendering r)
    {
        if (start < 0) start = Math.Max(0, start + items.Count);
        if (stop < 0) stop += items.Count;
        for (var i = start; i < Math.Min(items.Count, stop); i++)
        {
            if (Py.Equal(items[(int)i], value, r)) return i;
        }
        throw new Fault($"{Py.Repr(value, r)} is not in list");
    }
}

/// <summary>The few methods of numbers that make sense in a template.</summary>
internal static class NumberMethods
{
    public static readonly FrozenDictionary<string, Function> Table = new Function[]
    {
        new("is_integer", ["self"], 1, (r, a) => Py.Box(a[0] is not double d || d == Math.Floor(d))),
        new("bit_length", ["self"], 1, (r, a) => a[0] is double ? throw new Fault("'float object' has no attribute 'bit_length'")
            : (long)System.Numerics.BigInteger.Abs(Arithmetic.Whole(a[0]!)).GetBitLength()),
    }.ToFrozenDictionary(f => f.Name);
}
