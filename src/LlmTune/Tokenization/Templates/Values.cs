using System.Collections;

namespace LlmTune.Tokenization.Templates;

/// <summary>A variable, attribute or item that is not there: empty when printed, looped over or tested, an error in all other uses.</summary>
internal sealed class Undefined
{
    private readonly object? _owner;
    private readonly object? _name;
    private readonly bool _owned;
    private readonly string? _hint;

    public Undefined(string name) => _name = name;

    private Undefined(object? owner, object? name, bool owned, string? hint) => (_owner, _name, _owned, _hint) = (owner, name, owned, hint);

    public static Undefined Of(object? owner, object? name) => new(owner, name, true, null);

    public static Undefined Because(string hint, string? name = null) => new(null, name, false, hint);

    public static Undefined Unsafe(object? owner, string name) =>
        Because($"access to attribute '{name}' of '{Py.TypeName(owner)}' object is unsafe.", name);

    /// <summary>What is wrong with using a value that is undefined; for any other value the problem that is given.</summary>
    public static Fault ErrorOr(object? value, string problem) => value is Undefined undefined ? undefined.Error() : new Fault(problem);

    public Fault Error() => new(_hint ?? (!_owned ? $"{Py.Quote((string)_name!)} is undefined"
        : _name is string name ? $"{Py.Quote(Py.ObjectName(_owner))} has no attribute {Py.Quote(name)}"
        : $"{Py.ObjectName(_owner)} has no element {Py.Scalar(_name)}"));
}

/// <summary>Markup: text that counts as HTML already; it differs from other text in <c>|e</c> and <c>+</c>.</summary>
internal sealed class SafeText(string text)
{
    public string Text { get; } = text;

    public static SafeText Escape(string text) => new(text
        .Replace("&", "&amp;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal));
}

/// <param name="names">Names of the fields of a named tuple.</param>
internal sealed class PyTuple(object?[] items, params string[] names)
{
    public object?[] Items { get; } = items;

    public bool Field(string name, out object? value)
    {
        var at = Array.IndexOf(names, name);
        value = at >= 0 ? Items[at] : null;
        return at >= 0;
    }
}

/// <summary>range(start, stop, step), which is not a list before it is made one.</summary>
internal sealed record PyRange(long Start, long Stop, long Step) : IReadOnlyList<object?>
{
    public int Count { get; } = (int)(Step > 0 ? Math.Max(0, (Stop - Start + Step - 1) / Step) : Math.Max(0, (Start - Stop - Step - 1) / -Step));

    public object? this[int index] => Start + index * Step;

    public object? Property(string name) => name switch { "start" => Start, "stop" => Stop, "step" => Step, _ => null };

    public IEnumerator<object?> GetEnumerator()
    {
        for (var i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override string ToString() => Step == 1 ? $"range({Start}, {Stop})" : $"range({Start}, {Stop}, {Step})";
}

/// <summary>A generator or other iterator: read once, lazily.</summary>
/// <param name="typeName">Python's name of the type.</param>
internal sealed class PyIterator(IEnumerable<object?> items, string typeName) : IEnumerable<object?>
{
    private readonly IEnumerator<object?> _items = items.GetEnumerator();

    public string TypeName { get; } = typeName;

    public IEnumerator<object?> GetEnumerator()
    {
        while (_items.MoveNext()) yield return _items.Current;
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>dict.keys(), dict.values(), dict.items(): a view that can be read again.</summary>
internal sealed class PyView(PyDict dict, string kind) : IEnumerable<object?>
{
    public PyDict Dict { get; } = dict;

    public string TypeName => "dict_" + kind;

    public bool IsKeys => kind == "keys";

    public IEnumerator<object?> GetEnumerator() => Enumerate().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private IEnumerable<object?> Enumerate() => kind switch
    {
        "keys" => Dict.Keys,
        "values" => Dict.Values,
        _ => Dict.Select(e => (object?)new PyTuple([e.Key, e.Value])),
    };
}

/// <summary>namespace(): attributes that a template may assign, also from inside a loop.</summary>
internal sealed class Namespace
{
    public PyDict Attributes { get; } = new();

    public bool TryGet(string name, out object? value) => Attributes.TryGet(name, out value);

    public void Set(string name, object? value) => Attributes.Set(name, value);
}

/// <summary>A method of a value, on the way to being called.</summary>
internal sealed record BoundMethod(Function Function, object? Self);

/// <summary>cycler() and joiner(): values with members that change from call to call.</summary>
internal sealed record Stateful(string TypeName, Func<string, object?> Member, Function? Call = null);
