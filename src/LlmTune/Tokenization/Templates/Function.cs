namespace LlmTune.Tokenization.Templates;

/// <summary>
/// A function, filter, test or method that templates may call. Its parameters are bound as Python binds them; one that is not given is
/// <see cref="Missing"/>. A last parameter <c>*rest</c> takes the remaining positional arguments (an array), <c>**named</c> the named ones (a dict).
/// </summary>
internal sealed class Function(string name, string[] parameters, int required, Func<Rendering, object?[], object?> body)
{
    public static readonly object Missing = new();

    private readonly int _fixed = Array.FindIndex(parameters, p => p.StartsWith('*')) is var star and >= 0 ? star : parameters.Length;

    public string Name { get; } = name;

    public object? Invoke(Rendering r, Arguments arguments) => body(r, Bind([], arguments));

    /// <summary>Calls with a value in front: what a filter or test stands behind, or the object of a method.</summary>
    public object? Invoke(Rendering r, object? self, Arguments arguments)
    {
        if (Py.TextOf(self) is { } text) r.ChargeText(text.Length);
        return body(r, Bind([self], arguments));
    }

    private object?[] Bind(ReadOnlySpan<object?> leading, Arguments arguments)
    {
        var bound = new object?[parameters.Length];
        var given = leading.Length + arguments.Positional.Length;
        for (var i = 0; i < _fixed; i++)
            bound[i] = i < leading.Length ? leading[i] : i < given ? arguments.Positional[i - leading.Length] : Missing;
        PyDict? others = null;
        foreach (var (key, value) in arguments.Named)
        {
            var at = Array.IndexOf(parameters, key, 0, _fixed);
            if (at < 0 && parameters is [.., ['*', '*', ..]]) (others ??= new PyDict()).Set(key, value);
            else if (at < 0) throw new Fault($"{Name}() got an unexpected keyword argument '{key}'");
            else if (at < given) throw new Fault($"{Name}() got multiple values for argument '{key}'");
            else bound[at] = value;
        }
        for (var i = _fixed; i < parameters.Length; i++)
        {
            bound[i] = parameters[i] is ['*', '*', ..] ? others ?? new PyDict()
                : given > _fixed ? arguments.Positional[Math.Max(0, _fixed - leading.Length)..] : Array.Empty<object?>();
        }
        if (given > _fixed && (_fixed == parameters.Length || parameters[_fixed] is ['*', '*', ..]))
            throw new Fault($"{Name}() takes {(_fixed == 1 ? "1 argument" : $"at most {_fixed} arguments")} ({given} given)");
        for (var i = 0; i < required; i++)
        {
            if (ReferenceEquals(bound[i], Missing)) throw new Fault($"{Name}() missing required argument: '{parameters[i]}'");
        }
        return bound;
    }
}

/// <summary>Reading bound arguments.</summary>
internal static class BoundArguments
{
    public static bool Has(this object?[] a, int i) => !ReferenceEquals(a[i], Function.Missing);

    public static object? Or(this object?[] a, int i, object? otherwise) => ReferenceEquals(a[i], Function.Missing) ? otherwise : a[i];

    public static bool Flag(this object?[] a, int i, bool otherwise = false) => ReferenceEquals(a[i], Function.Missing) ? otherwise : Py.Truth(a[i]);

    public static long Integer(this object?[] a, int i, long otherwise) =>
        a.Has(i) ? Arithmetic.Index(a[i], $"'{Py.TypeName(a[i])}' object cannot be interpreted as an integer") : otherwise;

    /// <summary>Text; anything else is an error.</summary>
    public static string Text(this object?[] a, int i) =>
        Py.TextOf(a[i]) ?? throw (a[i] is Undefined undefined ? undefined.Error() : new Fault($"must be str, not {Py.TypeName(a[i])}"));

    /// <summary>Text, null for None and for an argument that is not given.</summary>
    public static string? TextOrNone(this object?[] a, int i) => ReferenceEquals(a[i], Function.Missing) || a[i] is null ? null : a.Text(i);
}
