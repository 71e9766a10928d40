namespace LlmTune.Tokenization.Templates;

/// <summary>How a statement ended: normally, or on the way to the end or the next pass of a loop.</summary>
internal enum Flow : byte { Next, Break, Continue }

/// <summary>A node that does something.</summary>
internal abstract record Statement(int Line)
{
    public abstract Flow Execute(Rendering r);
}

internal sealed record Block(Statement[] Statements) : Statement(0)
{
    public override Flow Execute(Rendering r)
    {
        r.Step();
        foreach (var statement in Statements)
        {
            var flow = statement.Execute(r);
            if (flow != Flow.Next) return flow;
        }
        return Flow.Next;
    }
}

internal sealed record Data(string Text, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Write(Text);
        return Flow.Next;
    }
}

internal sealed record Print(Expression Value, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Line = Line;
        r.Write(Py.Text(Value.Evaluate(r), r));
        return Flow.Next;
    }
}

internal sealed record If((Expression Test, Block Body)[] Branches, Block? Otherwise, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Step();
        foreach (var (test, body) in Branches)
        {
            r.Line = test.Line;
            if (Py.Truth(test.Evaluate(r))) return body.Execute(r);
        }
        return Otherwise?.Execute(r) ?? Flow.Next;
    }
}

internal sealed record Set(Target Target, Expression Value, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Line = Line;
        Target.Assign(r, Target is NameTarget ? Trace.Unseen(Value, r) : Value.Evaluate(r));
        return Flow.Next;
    }
}

/// <summary><c>{% set name | filters %}…{% endset %}</c></summary>
internal sealed record SetBlock(Target Target, Expression Filtered, Block Body, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Line = Line;
        var (flow, value) = Captured.Evaluate(r, Body, Filtered);
        if (flow == Flow.Next) Target.Assign(r, value);
        return flow;
    }
}

/// <summary><c>{% filter name %}…{% endfilter %}</c></summary>
internal sealed record FilterBlock(Expression Filtered, Block Body, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Line = Line;
        var (flow, value) = Captured.Evaluate(r, Body, Filtered);
        if (flow == Flow.Next) r.Write(Py.Text(value, r));
        return flow;
    }
}

internal static class Captured
{
    /// <summary>Runs a body in a scope of its own and puts what it writes through a chain of filters.</summary>
    public static (Flow Flow, object? Value) Evaluate(Rendering r, Block body, Expression filtered)
    {
        var frame = r.Frame;
        r.Frame = new Frame(frame);
        var outer = r.BeginCapture();
        var flow = body.Execute(r);
        r.Pending = r.EndCapture(outer);
        var value = flow == Flow.Next ? filtered.Evaluate(r) : null;
        r.Frame = frame;
        return (flow, value);
    }
}

internal sealed record Macro(MacroBody Body, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Frame.Set(Body.Name, new MacroFunction(Body, r.Frame));
        return Flow.Next;
    }
}

internal sealed record CallBlock(Call Call, MacroBody Caller, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Line = Line;
        r.Write(Py.Text(Call.Evaluate(r, new MacroFunction(Caller, r.Frame)), r));
        return Flow.Next;
    }
}

internal sealed record With((Target Target, Expression Value)[] Values, Block Body, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Line = Line;
        var values = Array.ConvertAll(Values, v => v.Value.Evaluate(r));
        var frame = r.Frame;
        r.Frame = new Frame(frame);
        for (var i = 0; i < values.Length; i++) Values[i].Target.Assign(r, values[i]);
        var flow = Body.Execute(r);
        r.Frame = frame;
        return flow;
    }
}

/// <summary>What is in it is what the model writes.</summary>
internal sealed record Generation(Block Body, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        var (frame, start) = (r.Frame, r.Position);
        r.Frame = new Frame(frame);
        Body.Execute(r);
        r.Generated(start);
        r.Frame = frame;
        return Flow.Next;
    }
}

internal sealed record NamedBlock(Block Body, bool Scoped, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        var frame = r.Frame;
        r.Trace?.SeeChangeable();
        r.Frame = new Frame(Scoped ? frame : frame.Outermost);
        Body.Execute(r);
        r.Frame = frame;
        return Flow.Next;
    }
}

internal sealed record Jump(Flow Flow, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r) => Flow;
}

internal sealed record Failing(string Problem, int Line) : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Line = Line;
        throw new Fault(Problem);
    }
}

/// <summary>What a value may be assigned to.</summary>
internal abstract record Target
{
    public abstract void Assign(Rendering r, object? value);
}

internal sealed record NameTarget(string Name) : Target
{
    public override void Assign(Rendering r, object? value) => r.Frame.Set(Name, value);
}

/// <summary><c>namespace.name</c></summary>
internal sealed record AttributeTarget(string Variable, string Name) : Target
{
    public override void Assign(Rendering r, object? value)
    {
        if (!r.Frame.TryGet(Variable, out var found) || found is not Namespace space)
            throw new Fault("cannot assign attribute on non-namespace object");
        r.Trace?.SeeChangeable();
        space.Set(Name, value);
    }
}

internal sealed record TupleTarget(Target[] Parts) : Target
{
    public override void Assign(Rendering r, object? value)
    {
        if (!Py.IsIterable(value)) throw new Fault($"cannot unpack non-iterable {Py.TypeName(value)} object");
        var items = Py.List(value, r);
        if (items.Count > Parts.Length) throw new Fault($"too many values to unpack (expected {Parts.Length})");
        if (items.Count < Parts.Length) throw new Fault($"not enough values to unpack (expected {Parts.Length}, got {items.Count})");
        for (var i = 0; i < Parts.Length; i++) Parts[i].Assign(r, items[i]);
    }
}
