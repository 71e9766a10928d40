using System.Runtime.CompilerServices;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>The state of one rendering: where text goes, which variables are seen, and what is left of the limits.</summary>
internal sealed class Rendering(TemplateLimits limits, TimeProvider clock)
{
    private readonly List<RenderedSpan> _generated = [];
    private readonly List<RenderedSpan> _items = [];
    private readonly List<(RenderedSpan Span, string Text)> _captured = [];
    private StringBuilder _output = new();
    private StringBuilder? _top;
    private long _steps = limits.Steps;
    private int _depth;

    public Frame Frame { get; set; } = new(null);

    /// <summary>Who watches what is looked at; null for nobody.</summary>
    public Trace? Trace { get; init; }

    /// <summary>The line that is being executed, for errors.</summary>
    public int Line { get; set; } = 1;

    /// <summary>The marked element whose loop pass is running, −1 for none.</summary>
    public int Item { get; set; } = -1;

    /// <summary>The captured text that the filters of a block are applied to.</summary>
    public object? Pending { get; set; }

    /// <summary>Characters written to wherever text goes now.</summary>
    public int Position => _output.Length;

    public DateTimeOffset Now => clock.GetLocalNow();

    /// <summary>Counts one evaluated node, and sees to it that nesting never ends the process.</summary>
    public void Step()
    {
        if (--_steps < 0) Exhausted();
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) TooDeep();
    }

    /// <summary>Counts work that grows with its input: elements of a list.</summary>
    public void Charge(long elements)
    {
        _steps -= elements;
        if (_steps < 0) Exhausted();
    }

    /// <summary>Counts text that is searched, or before it is made.</summary>
    public void ChargeText(long characters)
    {
        CheckLength(characters);
        Charge(1 + characters / 16);
    }

    public void CheckLength(long characters)
    {
        if (characters > limits.Characters) throw new Fault($"a text of {characters:N0} characters: a template may make {limits.Characters:N0}");
    }

    /// <summary>Enters a macro or a recursive loop.</summary>
    public void Enter()
    {
        if (++_depth > limits.Depth) throw new Fault($"macros call one another more than {limits.Depth} deep");
    }

    public void Leave() => _depth--;

    public void Write(string text)
    {
        if (text.Length == 0) return;
        CheckLength((long)_output.Length + text.Length);
        Charge(1 + text.Length / 16);
        _output.Append(text);
    }

    /// <summary>From here on text goes into a variable; what is returned belongs to <see cref="EndCapture"/>.</summary>
    public StringBuilder BeginCapture()
    {
        var outer = _output;
        _top ??= outer;
        _output = new StringBuilder();
        return outer;
    }

    public string EndCapture(StringBuilder outer)
    {
        var text = _output.ToString();
        _output = outer;
        if (ReferenceEquals(outer, _top)) _top = null;
        return text;
    }

    /// <summary>
    /// A <c>{% generation %}</c> block ended that began at <paramref name="start"/>. Inside a capture its place in the output is not known yet;
    /// transformers takes the end of what has been output, and so it is noted, to be checked when the text is whole.
    /// </summary>
    public void Generated(int start)
    {
        if (_top is null)
        {
            _generated.Add(new RenderedSpan(start, Position, Item));
            return;
        }
        var text = _output.ToString(start, _output.Length - start);
        var span = new RenderedSpan(_top.Length, _top.Length + text.Length, Item);
        _generated.Add(span);
        _captured.Add((span, text));
    }

    /// <summary>One pass of a loop over marked elements ended that began at <paramref name="start"/>.</summary>
    public void Passed(int item, int start)
    {
        if (_top is null && Position > start) _items.Add(new RenderedSpan(start, Position, item));
    }

    /// <summary>What has been written since a position.</summary>
    public string Since(int start) => _output.ToString(start, _output.Length - start);

    /// <summary>
    /// What the rest of the template would write if it were to end where the model's turn begins, after which all is as before. Null where that
    /// depends on what the passes of the loop did, or fails.
    /// </summary>
    public string? AsPrompt(ReadOnlySpan<Statement> rest, Trace trace)
    {
        var (output, top, steps, depth, line, item, frame) = (_output, _top, _steps, _depth, Line, Item, Frame);
        var (generated, items, captured) = (_generated.Count, _items.Count, _captured.Count);
        var (scope, variables) = (frame.Copy(), frame.Outermost.Parent!);
        variables.TryGet(Trace.PromptFlag, out var flag);
        variables.Set(Trace.PromptFlag, Py.True);
        (trace.InRest, trace.IsTrial) = (true, true);
        try
        {
            BeginCapture();
            foreach (var statement in rest) statement.Execute(this);
            return _output.ToString();
        }
        catch (Fault)
        {
            return null;
        }
        finally
        {
            (_output, _top, _steps, _depth, Line, Item, Frame) = (output, top, steps, depth, line, item, frame);
            _generated.RemoveRange(generated, _generated.Count - generated);
            _items.RemoveRange(items, _items.Count - items);
            _captured.RemoveRange(captured, _captured.Count - captured);
            frame.Take(scope);
            variables.Set(Trace.PromptFlag, flag);
            trace.IsTrial = false;
        }
    }

    public Rendered Finish()
    {
        var text = _output.ToString();
        var misplaced = _captured.Exists(c => c.Span.End > text.Length || !text.AsSpan(c.Span.Start, c.Text.Length).SequenceEqual(c.Text));
        return new Rendered(text, _generated, _items, misplaced);
    }

    private void Exhausted() => throw new Fault($"the template takes more than {limits.Steps:N0} steps");

    private static void TooDeep() => throw new Fault("the template nests too deeply");
}

/// <summary>Variables of one scope; what is not found is looked for in the scopes around it.</summary>
internal sealed class Frame(Frame? parent)
{
    private (string Name, object? Value)[] _slots = [];
    private int _count;

    public void Set(string name, object? value)
    {
        for (var i = 0; i < _count; i++)
        {
            if (_slots[i].Name != name) continue;
            _slots[i].Value = value;
            return;
        }
        if (_count == _slots.Length) Array.Resize(ref _slots, Math.Max(4, 2 * _count));
        _slots[_count++] = (name, value);
    }

    public bool TryGet(string name, out object? value)
    {
        for (var frame = this; frame is not null; frame = frame.Parent)
        {
            for (var i = 0; i < frame._count; i++)
            {
                if (frame._slots[i].Name != name) continue;
                value = frame._slots[i].Value;
                return true;
            }
        }
        value = null;
        return false;
    }

    /// <summary>The scope of the whole template, around all others.</summary>
    public Frame Outermost => Parent?.Parent is null ? this : Parent.Outermost;

    /// <summary>The variables as they are now, to be put back by <see cref="Take"/>.</summary>
    public Frame Copy() => new(Parent) { _slots = [.. _slots], _count = _count };

    public void Take(Frame other) => (_slots, _count) = (other._slots, other._count);

    public Frame? Parent { get; } = parent;
}
