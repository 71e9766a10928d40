using System.Collections.Frozen;

namespace LlmTune.Tokenization.Templates;

/// <summary>What may stand after <c>is</c>.</summary>
internal static class Tests
{
    public static readonly FrozenDictionary<string, Function> Table = Build();

    private static FrozenDictionary<string, Function> Build()
    {
        var table = new Dictionary<string, Function>();
        void Add(string name, Func<object?, Rendering, bool> test) => table[name] = new Function(name, ["value"], 1, (r, a) => Py.Box(test(a[0], r)));
        void Two(Func<object?, object?, Rendering, bool> test, params string[] names)
        {
            foreach (var name in names) table[name] = new Function(name, ["value", "other"], 2, (r, a) => Py.Box(test(a[0], a[1], r)));
        }
        Add("defined", (v, _) => v is not Undefined);
        Add("undefined", (v, _) => v is Undefined);
        Add("none", (v, _) => v is null);
        Add("boolean", (v, _) => v is bool);
        Add("true", (v, _) => v is true);
        Add("false", (v, _) => v is false);
        Add("integer", (v, _) => v is long or System.Numerics.BigInteger);
        Add("float", (v, _) => v is double);
        Add("number", (v, _) => Arithmetic.IsNumber(v));
        Add("string", (v, _) => Py.TextOf(v) is not null);
        Add("mapping", (v, _) => v is PyDict);
        Add("sequence", (v, _) => Py.TextOf(v) is not null || Py.Sequence(v) is not null || v is PyDict or Undefined);
        Add("iterable", (v, _) => Py.IsIterable(v));
        Add("callable", (v, _) => v is Function or BoundMethod or MacroFunction or Loop or Undefined or Stateful { Call: not null });
        Add("escaped", (v, _) => v is SafeText);
        Add("filter", (v, _) => Named(v) is { } name && Filters.Table.ContainsKey(name));
        Add("test", (v, _) => Named(v) is { } name && Table!.ContainsKey(name));
        Add("lower", (v, r) => Casing.IsLower(Py.Text(v, r)));
        Add("upper", (v, r) => Casing.IsUpper(Py.Text(v, r)));
        Add("odd", (v, r) => Rest(v, 2L, r) == 1);
        Add("even", (v, r) => Rest(v, 2L, r) == 0);
        Two((v, other, r) => Rest(v, other, r) == 0, "divisibleby");
        Two((v, other, r) => Same(v, other, r), "sameas");
        Two((v, other, r) => Py.Contains(other, v, r), "in");
        Two((v, other, r) => Py.Equal(v, other, r), "==", "eq", "equalto");
        Two((v, other, r) => !Py.Equal(v, other, r), "!=", "ne");
        Two((v, other, r) => Py.Ordered(v, other, Comparison.Greater, r), ">", "gt", "greaterthan");
        Two((v, other, r) => Py.Ordered(v, other, Comparison.GreaterOrEqual, r), ">=", "ge");
        Two((v, other, r) => Py.Ordered(v, other, Comparison.Less, r), "<", "lt", "lessthan");
        Two((v, other, r) => Py.Ordered(v, other, Comparison.LessOrEqual, r), "<=", "le");
        return table.ToFrozenDictionary();
    }

    private static string? Named(object? value) =>
        PyDict.IsHashable(value) ? Py.TextOf(value) : throw new Fault($"unhashable type: '{Py.TypeName(value)}'");

    private static double Rest(object? value, object? divisor, Rendering r)
    {
        if (Py.TextOf(value) is not null) throw new Fault("not all arguments converted during string formatting");
        return Arithmetic.Float(Arithmetic.Modulo(value, divisor, r)!);
    }

    /// <summary>Python's <c>is</c>: the same object; small values are one object there.</summary>
    private static bool Same(object? a, object? b, Rendering r) => (a, b) switch
    {
        (null, null) => true,
        (bool x, bool y) => x == y,
        (long or string or double, _) when a.GetType() == b?.GetType() => Py.Equal(a, b, r),
        _ => ReferenceEquals(a, b),
    };
}
