namespace LlmTune.Tokenization.Templates;

/// <summary>A node that has a value.</summary>
internal abstract record Expression(int Line)
{
    public abstract object? Evaluate(Rendering r);
}

internal sealed record Constant(object? Value, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r) => Value;
}

internal sealed record Variable(string Name, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        var value = Find(r);
        r.Trace?.Read(Name, value);
        return value;
    }

    /// <summary>The value without a word to who watches.</summary>
    public object? Find(Rendering r) =>
        r.Frame.TryGet(Name, out var value) ? value : Globals.Table.TryGetValue(Name, out var global) ? global : new Undefined(Name);
}

/// <summary>What a <c>{% filter %}</c> or <c>{% set %}</c> block has captured stands at the head of its chain of filters.</summary>
internal sealed record Pending(int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r) => r.Pending;
}

internal sealed record ListDisplay(Expression[] Items, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var list = new List<object?>(Items.Length);
        foreach (var item in Items) list.Add(item.Evaluate(r));
        return list;
    }
}

internal sealed record TupleDisplay(Expression[] Items, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return new PyTuple(Array.ConvertAll(Items, i => i.Evaluate(r)));
    }
}

internal sealed record DictDisplay((Expression Key, Expression Value)[] Items, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var dict = new PyDict(Items.Length);
        foreach (var (key, value) in Items) dict.Set(key.Evaluate(r), value.Evaluate(r));
        return dict;
    }
}

/// <summary><c>a if test else b</c>; without an else the value is undefined.</summary>
internal sealed record Conditional(Expression Test, Expression Value, Expression? Otherwise, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        if (Py.Truth(Test.Evaluate(r))) return Value.Evaluate(r);
        return Otherwise is not null ? Otherwise.Evaluate(r)
            : Undefined.Because($"the inline if-expression on line {Line} evaluated to false and no else section was defined.");
    }
}

internal sealed record And(Expression Left, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var left = Left.Evaluate(r);
        return Py.Truth(left) ? Right.Evaluate(r) : left;
    }
}

internal sealed record Or(Expression Left, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var left = Left.Evaluate(r);
        return Py.Truth(left) ? left : Right.Evaluate(r);
    }
}

internal sealed record Not(Expression Operand, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Py.Box(!Py.Truth(Operand.Evaluate(r)));
    }
}

internal enum Comparison : byte { Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, In, NotIn }

internal sealed record Compare(Expression Left, Comparison Comparison, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Py.Box(Holds(Comparison, (object?)LengthAboveNothing(r) ?? Left.Evaluate(r), Right.Evaluate(r), r));
    }

    /// <summary>The length of watched messages where it is compared with 0: of that only the first message is seen.</summary>
    private long? LengthAboveNothing(Rendering r)
    {
        if (r.Trace is not { } trace || Right is not Constant { Value: 0L } || Comparison > Comparison.GreaterOrEqual) return null;
        if (Left is not Filter { Name: "length" or "count", Value: Variable variable } || variable.Find(r) is not Transcript { Count: > 0 } messages) return null;
        trace.See(messages, 0);
        return messages.Count;
    }

    public static bool Holds(Comparison comparison, object? left, object? right, Rendering r) => comparison switch
    {
        Comparison.Equal => Py.Equal(left, right, r),
        Comparison.NotEqual => !Py.Equal(left, right, r),
        Comparison.In => Py.Contains(right, left, r),
        Comparison.NotIn => !Py.Contains(right, left, r),
        _ => Py.Ordered(left, right, comparison, r),
    };
}

/// <summary><c>a &lt; b &lt; c</c>: every neighbouring pair holds; what stands after the first that does not is not evaluated.</summary>
internal sealed record CompareChain(Expression First, (Comparison Comparison, Expression Right)[] Links, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var left = First.Evaluate(r);
        foreach (var (comparison, next) in Links)
        {
            var right = next.Evaluate(r);
            if (!Compare.Holds(comparison, left, right, r)) return Py.False;
            left = right;
        }
        return Py.True;
    }
}

internal sealed record Concatenate(Expression[] Parts, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var texts = new string[Parts.Length];
        var length = 0L;
        for (var i = 0; i < texts.Length; i++) length += (texts[i] = Py.Text(Parts[i].Evaluate(r), r)).Length;
        r.ChargeText(length);
        return string.Concat(texts);
    }
}

internal sealed record Sign(bool Negative, Expression Operand, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Arithmetic.Sign(Operand.Evaluate(r), Negative);
    }
}

internal sealed record Add(Expression Left, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Arithmetic.Add(Left.Evaluate(r), Right.Evaluate(r), r);
    }
}

internal sealed record Subtract(Expression Left, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Arithmetic.Subtract(Left.Evaluate(r), Right.Evaluate(r));
    }
}

internal sealed record Multiply(Expression Left, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Arithmetic.Multiply(Left.Evaluate(r), Right.Evaluate(r), r);
    }
}

internal sealed record Divide(Expression Left, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Arithmetic.Divide(Left.Evaluate(r), Right.Evaluate(r));
    }
}

internal sealed record FloorDivide(Expression Left, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Arithmetic.FloorDivide(Left.Evaluate(r), Right.Evaluate(r));
    }
}

internal sealed record Modulo(Expression Left, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Arithmetic.Modulo(Left.Evaluate(r), Right.Evaluate(r), r);
    }
}

internal sealed record Power(Expression Left, Expression Right, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Arithmetic.Power(Left.Evaluate(r), Right.Evaluate(r), r);
    }
}
