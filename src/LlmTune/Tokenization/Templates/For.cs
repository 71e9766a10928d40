namespace LlmTune.Tokenization.Templates;

/// <summary><c>{% for target in items if filter recursive %}body{% else %}otherwise{% endfor %}</c></summary>
internal sealed record For(Target Target, Expression Items, Expression? Filter, bool Recursive, Block Body, Block? Otherwise, int Line)
    : Statement(Line)
{
    public override Flow Execute(Rendering r)
    {
        r.Line = Line;
        Run(r, Trace.Unseen(Items, r), depth: 0);
        return Flow.Next;
    }

    /// <summary>
    /// The else part runs when no pass reached the end of the body: so Jinja has it, a break in the first pass included.
    /// A pass over a marked element (a message) is noted with what it writes.
    /// </summary>
    public void Run(Rendering r, object? items, int depth)
    {
        r.Step();
        var (frame, outerItem) = (r.Frame, r.Item);
        var loop = new Loop(Filter is null ? items : new PyIterator(Filtered(r, items), "generator"), this, depth, r);
        var completed = false;
        var watched = Watching(r, depth) && items is Transcript ? r.Trace : null;
        while (true)
        {
            watched?.Pass(loop.NextMessage, r.Position);
            if (!loop.MoveNext(r)) break;
            r.Frame = new Frame(frame);
            r.Frame.Set("loop", loop);
            Target.Assign(r, loop.Current);
            var start = r.Position;
            var mark = loop.Current is PyDict { Mark: >= 0 } marked ? marked.Mark : -1;
            if (mark >= 0) r.Item = mark;
            var flow = Body.Execute(r);
            if (mark >= 0) r.Passed(mark, start);
            r.Item = outerItem;
            completed |= flow == Flow.Next;
            if (flow == Flow.Break) break;
        }
        r.Frame = frame;
        if (completed || Otherwise is null) return;
        r.Frame = new Frame(frame);
        Otherwise.Execute(r);
        r.Frame = frame;
    }

    /// <summary>Whether a shorter list would only have fewer passes, and this is the loop that is watched.</summary>
    private bool Watching(Rendering r, int depth) => ReferenceEquals(r.Trace?.Loop, this) && depth == 0 && Filter is null && Otherwise is null;

    private IEnumerable<object?> Filtered(Rendering r, object? items)
    {
        var frame = r.Frame;
        foreach (var item in Py.Iterate(items, r))
        {
            var current = r.Frame;
            r.Frame = new Frame(frame);
            Target.Assign(r, item);
            var keep = Py.Truth(Filter!.Evaluate(r));
            r.Frame = current;
            if (keep) yield return Target is TupleTarget ? new PyTuple([.. Py.Iterate(item, r)]) : item;
        }
    }
}

/// <summary>The variable <c>loop</c>: where a loop stands. It looks at most one element ahead, as Jinja's does.</summary>
internal sealed class Loop(object? items, For statement, int depth, Rendering r)
{
    private readonly Transcript? _messages = items as Transcript;
    private readonly Trace? _trace = items is Transcript ? r.Trace : null;
    private IEnumerator<object?> _rest = (items as Transcript ?? Py.Iterate(items, r)).GetEnumerator();
    private object? _next;
    private bool _peeked;
    private object? _previous;
    private long? _length = Py.TryLength(items);
    private PyTuple? _changed;

    public object? Current { get; private set; }

    /// <summary>The number in the conversation of the message that the next pass is over.</summary>
    public int NextMessage => _messages!.Offset + (int)Index0 + 1;

    private long Index0 { get; set; } = -1;

    public bool MoveNext(Rendering r)
    {
        r.Step();
        if (!Peek()) return false;
        (_previous, Current, _peeked) = (Current, _next, false);
        Index0++;
        return true;
    }

    /// <summary><c>loop(items)</c> in a recursive loop: the body over further items, as text.</summary>
    public string Recurse(Rendering r, Arguments arguments)
    {
        if (!statement.Recursive) throw new Fault("The loop must have the 'recursive' marker to be called recursively.");
        if (arguments.Positional.Length != 1) throw new Fault($"loop() takes 1 argument ({arguments.Positional.Length} given)");
        r.Enter();
        var (frame, line, item) = (r.Frame, r.Line, r.Item);
        var outer = r.BeginCapture();
        statement.Run(r, arguments.Positional[0], depth + 1);
        var text = r.EndCapture(outer);
        (r.Frame, r.Line, r.Item) = (frame, line, item);
        r.Leave();
        return text;
    }

    public object? Member(string name, Rendering r) => name switch
    {
        "index" => Index0 + 1,
        "index0" => Index0,
        "first" => Py.Box(Index0 == 0),
        "last" => Py.Box(!Peek()),
        "length" => Length(r),
        "revindex" => Length(r) - Index0,
        "revindex0" => Length(r) - Index0 - 1,
        "previtem" => Index0 == 0 ? Undefined.Because("there is no previous item") : _previous,
        "nextitem" => Peek() ? _next : Undefined.Because("there is no next item"),
        "depth" => depth + 1L,
        "depth0" => (long)depth,
        "cycle" => new Function("cycle", ["*items"], 0, (_, a) => Cycle((object?[])a[0]!)),
        "changed" => new Function("changed", ["*values"], 0, (rendering, a) => Changed((object?[])a[0]!, rendering)),
        _ => null,
    };

    public override string ToString() => $"<LoopContext {Index0 + 1}/{_length}>";

    private bool Peek()
    {
        if (_peeked) return true;
        if (!_rest.MoveNext())
        {
            _trace?.SeeAll();
            return false;
        }
        _trace?.See(NextMessage);
        (_next, _peeked) = (_rest.Current, true);
        return true;
    }

    /// <summary>A generator is read to its end to know its length.</summary>
    private long Length(Rendering r)
    {
        _trace?.SeeAll();
        if (_length is { } known) return known;
        var rest = new List<object?>();
        while (_rest.MoveNext())
        {
            r.Charge(1);
            rest.Add(_rest.Current);
        }
        _rest = rest.GetEnumerator();
        return (_length = rest.Count + Index0 + 1 + (_peeked ? 1 : 0)).Value;
    }

    private object? Cycle(object?[] items) => items.Length == 0 ? throw new Fault("no items for cycling given") : items[Index0 % items.Length];

    private object Changed(object?[] values, Rendering r)
    {
        var now = new PyTuple(values);
        if (_changed is not null && Py.Equal(_changed, now, r)) return Py.False;
        _changed = now;
        return Py.True;
    }
}
