using System.Numerics;

namespace LlmTune.Tokenization.Templates;

/// <summary>
/// Python's rules for values: truth, equality, order, membership, iteration. A value is null (None), bool, long, BigInteger, double, string,
/// <see cref="SafeText"/>, List (list), <see cref="PyTuple"/>, <see cref="PyDict"/>, <see cref="PyRange"/>, <see cref="PyIterator"/>,
/// <see cref="PyView"/>, <see cref="Namespace"/>, <see cref="Undefined"/> or something that can be called.
/// </summary>
internal static partial class Py
{
    public static readonly object True = true;
    public static readonly object False = false;

    public static object Box(bool value) => value ? True : False;

    public static bool Truth(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        string text => text.Length > 0,
        long number => number != 0,
        double number => number != 0,
        BigInteger number => !number.IsZero,
        SafeText safe => safe.Text.Length > 0,
        List<object?> list => list.Count > 0,
        PyTuple tuple => tuple.Items.Length > 0,
        PyDict dict => dict.Count > 0,
        PyRange range => range.Count > 0,
        PyView view => view.Dict.Count > 0,
        _ => true,
    };

    /// <exception cref="Fault">The value is undefined.</exception>
    public static object? Defined(object? value) => value is Undefined undefined ? throw undefined.Error() : value;

    /// <summary>The text of a string or markup, null for anything else.</summary>
    public static string? TextOf(object? value) => value as string ?? (value as SafeText)?.Text;

    /// <summary>A list, tuple or range, null for anything else.</summary>
    public static IReadOnlyList<object?>? Sequence(object? value) => value switch
    {
        List<object?> list => list,
        PyTuple tuple => tuple.Items,
        PyRange range => range,
        _ => null,
    };

    public static string TypeName(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        SafeText => "Markup",
        List<object?> => "list",
        PyTuple => "tuple",
        PyDict => "dict",
        PyRange => "range",
        PyIterator iterator => iterator.TypeName,
        PyView view => view.TypeName,
        Namespace => "Namespace",
        Undefined => "Undefined",
        Loop => "LoopContext",
        MacroFunction => "Macro",
        Stateful stateful => stateful.TypeName,
        BoundMethod => "builtin_function_or_method",
        _ => "function",
    };

    /// <summary>How Jinja names the owner of an attribute that is missing.</summary>
    public static string ObjectName(object? value) => value switch
    {
        null => "None",
        SafeText => "markupsafe.Markup object",
        Namespace => "jinja2.utils.Namespace object",
        Loop => "jinja2.runtime.LoopContext object",
        MacroFunction => "jinja2.runtime.Macro object",
        _ => TypeName(value) + " object",
    };

    public static bool Equal(object? a, object? b, Rendering r)
    {
        if (a is string s && b is string t) return s == t;
        if (ReferenceEquals(a, b)) return a is not double.NaN;
        if (TextOf(a) is { } x && TextOf(b) is { } y) return x == y;
        if (Arithmetic.IsNumber(a) && Arithmetic.IsNumber(b)) return Arithmetic.Compare(a!, b!) == 0;
        r.Step();
        return (a, b) switch
        {
            (Undefined, Undefined) => true,
            (List<object?> p, List<object?> q) => EqualItems(p, q, r),
            (PyTuple p, PyTuple q) => EqualItems(p.Items, q.Items, r),
            (PyRange p, PyRange q) => EqualItems(p, q, r),
            (PyDict p, PyDict q) => p.Count == q.Count && p.All(e => q.TryGet(e.Key, out var other) && Equal(e.Value, other, r)),
            (PyView { IsKeys: true } p, PyView { IsKeys: true } q) => p.Dict.Count == q.Dict.Count && p.Dict.Keys.All(k => q.Dict.TryGet(k, out _)),
            _ => false,
        };
    }

    /// <summary>&lt;, ≤, &gt;, ≥: numbers, text by code points, lists and tuples element by element.</summary>
    public static bool Ordered(object? a, object? b, Comparison comparison, Rendering r)
    {
        r.Step();
        if (a is Undefined left) throw left.Error();
        if (b is Undefined right) throw right.Error();
        if (Arithmetic.IsNumber(a) && Arithmetic.IsNumber(b)) return Holds(comparison, Arithmetic.Compare(a!, b!));
        if (TextOf(a) is { } s && TextOf(b) is { } t) return Holds(comparison, CodePoints.Compare(s, t));
        if ((a, b) is (List<object?>, List<object?>) or (PyTuple, PyTuple))
        {
            var (p, q) = (Sequence(a)!, Sequence(b)!);
            for (var i = 0; i < Math.Min(p.Count, q.Count); i++)
            {
                if (!Equal(p[i], q[i], r)) return Ordered(p[i], q[i], comparison, r);
            }
            return Holds(comparison, p.Count.CompareTo(q.Count));
        }
        var symbol = comparison switch { Comparison.Less => "<", Comparison.LessOrEqual => "<=", Comparison.Greater => ">", _ => ">=" };
        throw new Fault($"'{symbol}' not supported between instances of '{TypeName(a)}' and '{TypeName(b)}'");
    }

    /// <summary>Python's <c>item in container</c>.</summary>
    public static bool Contains(object? container, object? item, Rendering r)
    {
        if (TextOf(container) is { } text)
        {
            r.ChargeText(text.Length);
            var part = TextOf(item) ?? throw new Fault($"'in <string>' requires string as left operand, not {TypeName(item)}");
            return text.Contains(part, StringComparison.Ordinal);
        }
        if (container is PyDict or PyView { IsKeys: true })
        {
            if (!PyDict.IsHashable(item)) throw new Fault($"unhashable type: '{TypeName(item)}'");
            return (container as PyDict ?? ((PyView)container).Dict).TryGet(item, out _);
        }
        if (!IsIterable(container)) throw new Fault($"argument of type '{TypeName(container)}' is not iterable");
        foreach (var element in Iterate(container, r))
        {
            r.Charge(1);
            if (Equal(element, item, r)) return true;
        }
        return false;
    }

    public static bool IsIterable(object? value) =>
        value is string or SafeText or List<object?> or PyTuple or PyDict or PyRange or PyIterator or PyView or Undefined;

    public static IEnumerable<object?> Iterate(object? value, Rendering r)
    {
        switch (value)
        {
            case List<object?> list:
                if (list is Transcript) r.Trace?.SeeAll();
                return list;
            case PyTuple tuple: return tuple.Items;
            case PyDict dict: return dict.Keys;
            case string or SafeText:
                var text = TextOf(value)!;
                r.ChargeText(text.Length);
                return CodePoints.Each(text);
            case PyIterator iterator:
                r.Trace?.SeeChangeable();
                return iterator;
            case PyRange or PyView: return (IEnumerable<object?>)value;
            case Undefined: return [];
            default: throw new Fault($"'{TypeName(value)}' object is not iterable");
        }
    }

    /// <summary>A new list of what a value iterates over.</summary>
    public static List<object?> List(object? value, Rendering r)
    {
        var list = new List<object?>();
        foreach (var item in Iterate(value, r))
        {
            r.Charge(1);
            list.Add(item);
        }
        return list;
    }

    /// <summary>Python's len, null where there is none.</summary>
    public static long? TryLength(object? value) => value switch
    {
        string or SafeText => CodePoints.Count(TextOf(value)!),
        List<object?> or PyTuple or PyRange => Sequence(value)!.Count,
        PyDict dict => dict.Count,
        PyView view => view.Dict.Count,
        Undefined => 0,
        _ => null,
    };

    private static bool EqualItems(IReadOnlyList<object?> a, IReadOnlyList<object?> b, Rendering r)
    {
        if (a.Count != b.Count) return false;
        r.Charge(a.Count);
        for (var i = 0; i < a.Count; i++)
        {
            if (!Equal(a[i], b[i], r)) return false;
        }
        return true;
    }

    private static bool Holds(Comparison comparison, int order) => comparison switch
    {
        Comparison.Less => order < 0,
        Comparison.LessOrEqual => order <= 0,
        Comparison.Greater => order > 0,
        _ => order >= 0,
    };
}
