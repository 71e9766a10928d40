using System.Collections.Frozen;

namespace LlmTune.Tokenization.Templates;

/// <summary>The functions that every template has: Jinja's, and the two that transformers adds.</summary>
internal static class Globals
{
    /// <summary>The sandbox's bound on range().</summary>
    private const long LongestRange = 100_000;

    public static readonly FrozenDictionary<string, Function> Table = new Function[]
    {
        new("range", ["start", "stop", "step"], 1, (r, a) => Range(a)),
        new("namespace", ["*rest", "**named"], 0, (r, a) => NewNamespace((object?[])a[0]!, (PyDict)a[1]!, r)),
        new("dict", ["*rest", "**named"], 0, (r, a) => NewDict((object?[])a[0]!, (PyDict)a[1]!, r)),
        new("cycler", ["*items"], 0, (r, a) => Cycler((object?[])a[0]!)),
        new("joiner", ["sep"], 0, (r, a) => Joiner(a.Or(0, ", "))),
        new("lipsum", ["n", "html", "min", "max"], 0, (r, a) => throw new Fault("lipsum() is not supported: it gives a different text every time")),
        new("raise_exception", ["message"], 1, (r, a) => throw new Fault(Py.Text(a[0], r))),
        new("strftime_now", ["format"], 1, (r, a) => Dates.Format(a.Text(0), r.Now)),
    }.ToFrozenDictionary(f => f.Name);

    private static PyRange Range(object?[] a)
    {
        var start = a.Has(1) ? a.Integer(0, 0) : 0;
        var stop = a.Has(1) ? a.Integer(1, 0) : a.Integer(0, 0);
        var step = a.Integer(2, 1);
        if (step == 0) throw new Fault("range() arg 3 must not be zero");
        var length = (Int128)(step > 0 ? (Int128)stop - start : (Int128)start - stop) / Int128.Abs(step);
        if (length > LongestRange) throw new Fault($"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({LongestRange}).");
        return new PyRange(start, stop, step);
    }

    private static Namespace NewNamespace(object?[] rest, PyDict named, Rendering r)
    {
        var space = new Namespace();
        foreach (var (key, value) in NewDict(rest, named, r))
            space.Set(key as string ?? throw new Fault("attribute name must be string"), value);
        return space;
    }

    private static PyDict NewDict(object?[] rest, PyDict named, Rendering r)
    {
        if (rest.Length > 1) throw new Fault($"dict expected at most 1 argument, got {rest.Length}");
        if (rest is [Undefined undefined]) throw undefined.Error();
        var dict = new PyDict();
        if (rest is [PyDict other])
        {
            r.Charge(other.Count);
            foreach (var (key, value) in other) dict.Set(key, value);
        }
        else if (rest is [var pairs])
        {
            foreach (var pair in Py.Iterate(pairs, r))
            {
                var items = Py.List(pair, r);
                if (items.Count != 2) throw new Fault($"dictionary update sequence element has length {items.Count}; 2 is required");
                dict.Set(items[0], items[1]);
            }
        }
        foreach (var (key, value) in named) dict.Set(key, value);
        return dict;
    }

    private static Stateful Cycler(object?[] items)
    {
        if (items.Length == 0) throw new Fault("at least one item has to be provided");
        var at = 0;
        var next = new Function("next", [], 0, (_, _) => items[at++ % items.Length]);
        var reset = new Function("reset", [], 0, (_, _) =>
        {
            at = 0;
            return null;
        });
        return new Stateful("Cycler", name => name switch { "next" => next, "reset" => reset, "current" => items[at % items.Length], _ => null });
    }

    private static Stateful Joiner(object? separator)
    {
        var used = false;
        return new Stateful("Joiner", _ => null, new Function("joiner", [], 0, (_, _) =>
        {
            var text = used ? separator : "";
            used = true;
            return text;
        }));
    }
}
