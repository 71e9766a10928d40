using System.Collections.Frozen;

namespace LlmTune.Tokenization.Templates;

/// <summary>Filters on sequences. What Jinja gives as a generator is one here: it is read lazily and once.</summary>
internal static partial class Filters
{
    private static IEnumerable<Function> Sequences() =>
    [
        new("default", ["value", "default_value", "boolean"], 1, (r, a) => a[0] is Undefined || (a.Flag(2) && !Py.Truth(a[0])) ? a.Or(1, "") : a[0]),
        new("length", ["obj"], 1, (r, a) => Py.TryLength(a[0]) ?? throw new Fault($"object of type '{Py.TypeName(a[0])}' has no len()")),
        new("list", ["value"], 1, (r, a) => Py.List(a[0], r)),
        new("first", ["seq"], 1, (r, a) => First(Py.Iterate(a[0], r))),
        new("last", ["seq"], 1, Last),
        new("reverse", ["value"], 1, (r, a) => Reverse(a[0], r)),
        new("join", ["value", "d", "attribute"], 1, (r, a) => Join(a, r)),
        new("items", ["value"], 1, (r, a) => Items(a[0])),
        new("dictsort", ["value", "case_sensitive", "by", "reverse"], 1, (r, a) => DictSort(a, r)),
        new("sort", ["value", "reverse", "case_sensitive", "attribute"], 1, (r, a) => Sort(Py.List(a[0], r), a.Or(3, null), a.Flag(2), a.Flag(1), r)),
        new("unique", ["value", "case_sensitive", "attribute"], 1, (r, a) => new PyIterator(Unique(a, r), "generator")),
        new("min", ["value", "case_sensitive", "attribute"], 1, (r, a) => Extreme(a, Comparison.Less, r)),
        new("max", ["value", "case_sensitive", "attribute"], 1, (r, a) => Extreme(a, Comparison.Greater, r)),
        new("sum", ["iterable", "attribute", "start"], 1, (r, a) => Sum(a, r)),
        new("map", ["value", "*args", "**kwargs"], 1, (r, a) => new PyIterator(Map(a[0], (object?[])a[1]!, (PyDict)a[2]!, r), "generator")),
        new("select", ["value", "*args", "**kwargs"], 1, (r, a) => new PyIterator(Select(a, r, attribute: false, keep: true), "generator")),
        new("reject", ["value", "*args", "**kwargs"], 1, (r, a) => new PyIterator(Select(a, r, attribute: false, keep: false), "generator")),
        new("selectattr", ["value", "*args", "**kwargs"], 1, (r, a) => new PyIterator(Select(a, r, attribute: true, keep: true), "generator")),
        new("rejectattr", ["value", "*args", "**kwargs"], 1, (r, a) => new PyIterator(Select(a, r, attribute: true, keep: false), "generator")),
        new("batch", ["value", "linecount", "fill_with"], 2, (r, a) => new PyIterator(Batch(a[0], a.Integer(1, 1), a.Or(2, null), r), "generator")),
        new("slice", ["value", "slices", "fill_with"], 2, (r, a) => new PyIterator(SliceUp(a[0], a.Integer(1, 1), a.Or(2, null), r), "generator")),
        new("groupby", ["value", "attribute", "default", "case_sensitive"], 2, (r, a) => GroupBy(a, r)),
        new("attr", ["obj", "name"], 2,
            (r, a) => a[0] is PyDict && !DictMethods.Table.ContainsKey(a.Text(1)) ? Undefined.Of(a[0], a.Text(1)) : Access.Attribute(a[0], a.Text(1), r)),
    ];

    private static object? First(IEnumerable<object?> items, string place = "first")
    {
        foreach (var item in items) return item;
        return Undefined.Because($"No {place} item, sequence was empty.");
    }

    private static object? Last(Rendering r, object?[] a)
    {
        if (a[0] is PyIterator) throw new Fault($"'{Py.TypeName(a[0])}' object is not reversible");
        var items = Py.List(a[0], r);
        items.Reverse();
        return First(items, "last");
    }

    private static object Reverse(object? value, Rendering r)
    {
        if (Py.TextOf(value) is not null) return Access.Slice(value, null, null, -1L, r)!;
        if (!Py.IsIterable(value)) throw new Fault("argument must be iterable");
        var items = Py.List(value, r);
        items.Reverse();
        return value is PyIterator ? items : new PyIterator(items, value is List<object?> ? "list_reverseiterator" : "reversed");
    }

    private static string Join(object?[] a, Rendering r)
    {
        var separator = Py.Text(a.Or(1, ""), r);
        var attribute = a.Or(2, null);
        var pieces = new List<string>();
        var length = 0L;
        foreach (var item in Py.Iterate(a[0], r))
        {
            var piece = Py.Text(attribute is null ? item : At(item, attribute, r), r);
            pieces.Add(piece);
            r.Charge(1);
            r.CheckLength(length += piece.Length + separator.Length);
        }
        r.ChargeText(length);
        return string.Join(separator, pieces);
    }

    private static PyIterator Items(object? value) => value switch
    {
        Undefined => new PyIterator([], "generator"),
        PyDict dict => new PyIterator(new PyView(dict, "items"), "generator"),
        // Jinja's generator fails when it is read, not when it is made.
        _ => new PyIterator(Failing(), "generator"),
    };

    private static IEnumerable<object?> Failing()
    {
        yield return new Fault("Can only get item pairs from a mapping.") is var fault ? throw fault : null;
    }

    /// <summary>The value at a path like "address.city" or "0.name".</summary>
    private static object? At(object? item, object? path, Rendering r)
    {
        if (Py.TextOf(path) is not { } text) return Access.Item(item, path, r);
        foreach (var part in text.Split('.'))
            item = Access.Item(item, part.Length > 0 && part.All(char.IsAsciiDigit) && long.TryParse(part, out var index) ? index : part, r);
        return item;
    }

    private static object? Folded(object? value, bool caseSensitive) => !caseSensitive && Py.TextOf(value) is { } text ? Casing.Lower(text) : value;

    private static object? Key(object? item, object? attribute, bool caseSensitive, Rendering r) =>
        Folded(attribute is null ? item : At(item, attribute, r), caseSensitive);

    /// <summary>Stable, also in reverse. Several attributes stand with commas between.</summary>
    private static List<object?> Sort(List<object?> items, object? attribute, bool caseSensitive, bool reverse, Rendering r)
    {
        object?[] paths = Py.TextOf(attribute) is { } text ? text.Split(',') : [attribute];
        var keys = items.ConvertAll(i => Array.ConvertAll(paths, p => Key(i, p, caseSensitive, r)));
        return SortBy(items, keys, reverse, r);
    }

    private static List<object?> SortBy(List<object?> items, List<object?[]> keys, bool reverse, Rendering r)
    {
        // As Python compares lists: the first elements that are not equal decide, so what is equal need not have an order.
        bool Precedes(int x, int y)
        {
            if (reverse) (x, y) = (y, x);
            for (var i = 0; i < keys[x].Length; i++)
            {
                if (!Py.Equal(keys[x][i], keys[y][i], r)) return Py.Ordered(keys[x][i], keys[y][i], Comparison.Less, r);
            }
            return false;
        }
        int[] order = [.. Enumerable.Range(0, items.Count)];
        Sorting.Stable(order, Precedes);
        return [.. order.Select(i => items[i])];
    }

    private static List<object?> DictSort(object?[] a, Rendering r)
    {
        if (a[0] is not PyDict dict) throw Undefined.ErrorOr(a[0], $"'{Py.TypeName(a[0])}' object has no attribute 'items'");
        var by = a.Has(2) ? a.Text(2) : "key";
        if (by is not ("key" or "value")) throw new Fault("You can only sort by either \"key\" or \"value\"");
        var items = new List<object?>(new PyView(dict, "items"));
        return SortBy(items, [.. dict.Select(e => new[] { Folded(by == "key" ? e.Key : e.Value, a.Flag(1)) })], a.Flag(3), r);
    }

    private static IEnumerable<object?> Unique(object?[] a, Rendering r)
    {
        var seen = new PyDict();
        foreach (var item in Py.Iterate(a[0], r))
        {
            r.Charge(1);
            var key = Key(item, a.Or(2, null), a.Flag(1), r);
            if (seen.TryGet(key, out _)) continue;
            seen.Set(key, null);
            yield return item;
        }
    }

    private static object? Extreme(object?[] a, Comparison better, Rendering r)
    {
        var items = Py.List(a[0], r);
        if (items.Count == 0) return Undefined.Because("No aggregated item, sequence was empty.");
        var (best, bestKey) = (items[0], Key(items[0], a.Or(2, null), a.Flag(1), r));
        foreach (var item in items.Skip(1))
        {
            var key = Key(item, a.Or(2, null), a.Flag(1), r);
            if (Py.Ordered(key, bestKey, better, r)) (best, bestKey) = (item, key);
        }
        return best;
    }

    private static object? Sum(object?[] a, Rendering r)
    {
        var total = a.Or(2, 0L);
        foreach (var item in Py.Iterate(a[0], r)) total = Arithmetic.Add(total, a.Or(1, null) is { } attribute ? At(item, attribute, r) : item, r);
        return total;
    }

    private static IEnumerable<object?> Map(object? value, object?[] args, PyDict named, Rendering r)
    {
        if (!Py.Truth(value)) yield break;
        var arguments = new Arguments([.. args.Skip(1)], [.. named.Select(e => ((string)e.Key!, e.Value))]);
        if (args.Length == 0 && named.TryGet("attribute", out var attribute))
        {
            named.TryGet("default", out var otherwise);
            if (arguments.Named.FirstOrDefault(n => n.Name is not ("attribute" or "default")).Name is { } other)
                throw new Fault($"Unexpected keyword argument '{other}'");
            foreach (var item in Py.Iterate(value, r))
            {
                var found = At(item, attribute, r);
                yield return found is Undefined && otherwise is not null ? otherwise : found;
            }
            yield break;
        }
        if (args.Length == 0) throw new Fault("map requires a filter argument");
        var filter = Find(Table, "filter", args[0], r);
        foreach (var item in Py.Iterate(value, r))
        {
            r.Charge(1);
            yield return filter.Invoke(r, item, arguments);
        }
    }

    private static IEnumerable<object?> Select(object?[] a, Rendering r, bool attribute, bool keep)
    {
        if (!Py.Truth(a[0])) yield break;
        var args = (object?[])a[1]!;
        if (attribute && args.Length == 0) throw new Fault("Missing parameter for attribute name");
        var at = attribute ? 1 : 0;
        var test = args.Length > at ? Find(Tests.Table, "test", args[at], r) : null;
        var arguments = new Arguments([.. args.Skip(at + 1)], [.. ((PyDict)a[2]!).Select(e => ((string)e.Key!, e.Value))]);
        foreach (var item in Py.Iterate(a[0], r))
        {
            r.Charge(1);
            var value = attribute ? At(item, args[0], r) : item;
            if (Py.Truth(test is null ? value : test.Invoke(r, value, arguments)) == keep) yield return item;
        }
    }

    private static Function Find(FrozenDictionary<string, Function> table, string kind, object? name, Rendering r) =>
        table.TryGetValue(Py.Text(name, r), out var function) ? function : throw new Fault($"No {kind} named {Py.Repr(name, r)}.");

    private static IEnumerable<object?> Batch(object? value, long size, object? fill, Rendering r)
    {
        var batch = new List<object?>();
        foreach (var item in Py.Iterate(value, r))
        {
            if (batch.Count == size)
            {
                yield return batch;
                batch = [];
            }
            batch.Add(item);
        }
        if (batch.Count == 0) yield break;
        if (fill is not null)
        {
            r.Charge(Math.Max(0, size - batch.Count));
            while (batch.Count < size) batch.Add(fill);
        }
        yield return batch;
    }

    private static IEnumerable<object?> SliceUp(object? value, long slices, object? fill, Rendering r)
    {
        var items = Py.List(value, r);
        if (slices <= 0) throw new Fault("integer division or modulo by zero");
        var (each, extra, start) = ((int)(items.Count / slices), items.Count % slices, 0);
        for (var i = 0L; i < Math.Min(slices, 100_000); i++)
        {
            var length = each + (i < extra ? 1 : 0);
            var slice = items.GetRange(start, length);
            start += length;
            if (fill is not null && i >= extra) slice.Add(fill);
            yield return slice;
        }
    }

    /// <summary>Sorted by the attribute, a tuple (grouper, list) for each of its values; a group is called as its first element has it.</summary>
    private static List<object?> GroupBy(object?[] a, Rendering r)
    {
        object? Raw(object? item) => At(item, a[1], r) is var found && found is Undefined && a.Or(2, null) is { } otherwise ? otherwise : found;
        var items = Py.List(a[0], r);
        var sorted = SortBy(items, items.ConvertAll(i => new[] { Folded(Raw(i), a.Flag(3)) }), false, r);
        var groups = new List<object?>();
        object? last = null;
        List<object?>? group = null;
        foreach (var item in sorted)
        {
            var key = Folded(Raw(item), a.Flag(3));
            if (group is null || !Py.Equal(key, last, r))
            {
                (group, last) = ([], key);
                groups.Add(new PyTuple([Raw(item), group], "grouper", "list"));
            }
            group.Add(item);
        }
        return groups;
    }
}
