namespace LlmTune.Tokenization.Templates;

/// <summary>What a call hands over.</summary>
internal readonly record struct Arguments(object?[] Positional, (string Name, object? Value)[] Named)
{
    public static readonly Arguments None = new([], []);
}

/// <summary>The arguments as written: positional, named, <c>*spread</c> and <c>**spread</c>.</summary>
internal sealed record ArgumentList(Expression[] Positional, (string Name, Expression Value)[] Named, Expression? Spread, Expression? SpreadNamed)
{
    public static readonly ArgumentList Empty = new([], [], null, null);

    public Arguments Evaluate(Rendering r, MacroFunction? caller = null)
    {
        if (Positional.Length == 0 && Named.Length == 0 && Spread is null && SpreadNamed is null && caller is null) return Arguments.None;
        var positional = Array.ConvertAll(Positional, p => p.Evaluate(r));
        var named = Array.ConvertAll(Named, n => (n.Name, n.Value.Evaluate(r)));
        if (caller is not null) named = [.. named, ("caller", caller)];
        if (Spread is not null) positional = [.. positional, .. Py.List(Spread.Evaluate(r), r)];
        if (SpreadNamed is not null)
        {
            var value = SpreadNamed.Evaluate(r);
            if (value is not PyDict dict) throw new Fault($"argument after ** must be a mapping, not {Py.TypeName(value)}");
            named = [.. named, .. dict.Select(e => (e.Key as string ?? throw new Fault("keywords must be strings"), e.Value))];
        }
        return new Arguments(positional, named);
    }
}

internal sealed record Call(Expression Function, ArgumentList Arguments, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r) => Evaluate(r, null);

    /// <summary>Calls with the body of a <c>{% call %}</c> block as the argument <c>caller</c>.</summary>
    public object? Evaluate(Rendering r, MacroFunction? caller)
    {
        r.Step();
        var function = Function.Evaluate(r);
        var arguments = Arguments.Evaluate(r, caller);
        r.Line = Line;
        return function switch
        {
            BoundMethod method => method.Function.Invoke(r, method.Self, arguments),
            Function plain => plain.Invoke(r, arguments),
            MacroFunction macro => macro.Invoke(r, arguments),
            Loop loop => loop.Recurse(r, arguments),
            Stateful { Call: { } call } => call.Invoke(r, arguments),
            Undefined undefined => throw undefined.Error(),
            _ => throw new Fault($"'{Py.TypeName(function)}' object is not callable"),
        };
    }
}

/// <param name="Function">Null: there is no filter of this name, which is an error only when it is reached.</param>
internal sealed record Filter(Expression Value, string Name, Function? Function, ArgumentList Arguments, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var value = Value.Evaluate(r);
        var arguments = Arguments.Evaluate(r);
        r.Line = Line;
        return (Function ?? throw new Fault($"No filter named '{Name}' found.")).Invoke(r, value, arguments);
    }
}

/// <param name="Function">Null: there is no test of this name, which is an error only when it is reached.</param>
internal sealed record Test(Expression Value, string Name, Function? Function, ArgumentList Arguments, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var value = Name is "defined" or "undefined" && Value is Variable variable ? variable.Find(r) : Value.Evaluate(r);
        var arguments = Arguments.Evaluate(r);
        return (Function ?? throw new Fault($"No test named '{Name}' found.")).Invoke(r, value, arguments);
    }
}

/// <param name="Default">Null: the parameter is undefined unless it is given.</param>
internal sealed record Parameter(string Name, Expression? Default);

/// <param name="Varargs">Whether the body reads <c>varargs</c>, and so takes more positional arguments than it names.</param>
/// <param name="Kwargs">Whether the body reads <c>kwargs</c>.</param>
/// <param name="Caller">Whether the body reads <c>caller</c>.</param>
internal sealed record MacroBody(string Name, Parameter[] Parameters, Block Body, bool Varargs, bool Kwargs, bool Caller);

/// <summary>A macro and the scope it was defined in.</summary>
internal sealed class MacroFunction(MacroBody macro, Frame definition)
{
    public string Name => macro.Name;

    public string Invoke(Rendering r, Arguments arguments)
    {
        r.Enter();
        var (frame, line) = (r.Frame, r.Line);
        r.Frame = new Frame(definition);
        Bind(r, arguments);
        var outer = r.BeginCapture();
        macro.Body.Execute(r);
        var text = r.EndCapture(outer);
        (r.Frame, r.Line) = (frame, line);
        r.Leave();
        return text;
    }

    public object? Property(string name) => name switch
    {
        "name" => macro.Name,
        "arguments" => new PyTuple(Array.ConvertAll(macro.Parameters, p => (object?)p.Name)),
        "caller" => Py.Box(macro.Caller),
        "catch_varargs" => Py.Box(macro.Varargs),
        "catch_kwargs" => Py.Box(macro.Kwargs),
        _ => null,
    };

    private void Bind(Rendering r, Arguments arguments)
    {
        var parameters = macro.Parameters;
        var rest = arguments.Named.ToList();
        bool TryTake(string name, out object? value)
        {
            var at = rest.FindIndex(n => n.Name == name);
            value = at >= 0 ? rest[at].Value : null;
            if (at >= 0) rest.RemoveAt(at);
            return at >= 0;
        }
        // A default value sees the parameters, not what has their names outside.
        foreach (var (parameter, _) in parameters) r.Frame.Set(parameter, Undefined.Because($"parameter '{parameter}' was not provided", parameter));
        for (var i = 0; i < parameters.Length; i++)
        {
            var parameter = parameters[i];
            object? value = i < arguments.Positional.Length ? arguments.Positional[i]
                : TryTake(parameter.Name, out var named) ? named
                : parameter.Default is { } written ? written.Evaluate(r)
                : Function.Missing;
            if (!ReferenceEquals(value, Function.Missing)) r.Frame.Set(parameter.Name, value);
        }
        if (macro.Caller && !Array.Exists(parameters, p => p.Name == "caller"))
            r.Frame.Set("caller", TryTake("caller", out var caller) ? caller : Undefined.Because("No caller defined", "caller"));
        if (macro.Kwargs) r.Frame.Set("kwargs", PyDict.Of(rest));
        else if (rest.Exists(n => n.Name == "caller"))
            throw new Fault($"macro '{Name}' was invoked with two values for the special caller argument. This is most likely a bug.");
        else if (rest.Count > 0) throw new Fault($"macro '{Name}' takes no keyword argument '{rest[0].Name}'");
        if (macro.Varargs) r.Frame.Set("varargs", new PyTuple([.. arguments.Positional.Skip(parameters.Length)]));
        else if (arguments.Positional.Length > parameters.Length)
            throw new Fault($"macro '{Name}' takes not more than {parameters.Length} argument(s)");
    }
}
