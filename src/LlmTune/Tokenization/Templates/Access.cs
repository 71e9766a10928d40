using System.Collections.Frozen;

namespace LlmTune.Tokenization.Templates;

/// <summary><c>value.name</c>: an attribute of the value, else its item of that name.</summary>
internal sealed record Attribute(Expression Target, string Name, int Line) : Expression(Line)
{
    /// <summary>Whether the name is nothing special in a dict: neither a method nor unsafe.</summary>
    private readonly bool _isPlain = Access.IsPlainKey(Name);

    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var target = Trace.Unseen(Target, r);
        if (!_isPlain || target is not PyDict dict) return Access.Attribute(target, Name, r);
        return dict.TryGet(Name, out var value) ? value : Undefined.Of(target, Name);
    }
}

/// <summary><c>value[key]</c>: an item of the value, else its attribute of that name.</summary>
internal sealed record Item(Expression Target, Expression Key, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        return Access.Item(Trace.Unseen(Target, r), Key.Evaluate(r), r);
    }
}

internal sealed record SliceKey(Expression? Start, Expression? Stop, Expression? Step, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r) => throw new Fault("a slice stands only between brackets");
}

internal sealed record Slice(Expression Target, SliceKey Range, int Line) : Expression(Line)
{
    public override object? Evaluate(Rendering r)
    {
        r.Step();
        var target = Target.Evaluate(r);
        return Access.Slice(target, Range.Start?.Evaluate(r), Range.Stop?.Evaluate(r), Range.Step?.Evaluate(r), r);
    }

    /// <summary>All messages from one on are again a beginning's, whichever is its end; any other slice is looked at as it stands.</summary>
    public object? Unseen(Rendering r)
    {
        if (Range is not { Start: Constant { Value: long and >= 0 and var start }, Stop: null, Step: null } || Target is not Variable variable
            || variable.Find(r) is not Transcript messages || r.Trace is not { InRest: false })
            return Evaluate(r);
        r.Step();
        var skipped = (int)Math.Min(start, messages.Count);
        r.Charge(messages.Count - skipped);
        return new Transcript(messages.Skip(skipped)) { Offset = messages.Offset + (int)start };
    }
}

/// <summary>
/// Attributes, items and slices by the sandbox's rules: there is no reflection, a value has the methods of its table; methods that change a list
/// or a dict are unsafe, and so is every name that begins with an underscore.
/// </summary>
internal static class Access
{
    public static object? Attribute(object? target, string name, Rendering r) => target switch
    {
        Undefined undefined => name == "__class__" ? Undefined.Unsafe(undefined, name) : throw undefined.Error(),
        PyDict dict => Method(dict, name) ?? (dict.TryGet(name, out var value) ? value : Undefined.Of(target, name)),
        Namespace space => Member(space, name, r),
        _ => Member(target, name, r) ?? Undefined.Of(target, name),
    };

    /// <summary>Whether a name can only be a key of a dict.</summary>
    public static bool IsPlainKey(string name) => !IsUnsafe(name) && !DictMethods.Unsafe.Contains(name) && !DictMethods.Table.ContainsKey(name);

    public static object? Item(object? target, object? key, Rendering r)
    {
        if (key is SafeText safe) key = safe.Text;
        switch (target)
        {
            case Undefined undefined: throw undefined.Error();
            case PyDict dict:
                if (dict.TryGet(key, out var value)) return value;
                break;
            case string or SafeText when Arithmetic.TryIndex(key, out var index):
                var text = Py.TextOf(target)!;
                r.ChargeText(text.Length);
                return CodePoints.At(text, index) ?? (object)Undefined.Of(target, key);
            case List<object?> or PyTuple or PyRange when Arithmetic.TryIndex(key, out var index):
                if (target is Transcript messages) r.Trace?.See(messages, index);
                var list = Py.Sequence(target)!;
                if (index < 0) index += list.Count;
                return index >= 0 && index < list.Count ? list[(int)index] : Undefined.Of(target, key);
        }
        if (key is not string name) return Undefined.Of(target, key);
        if (target is Namespace space) return Member(space, name, r);
        return (target is PyDict map ? Method(map, name) : Member(target, name, r)) ?? Undefined.Of(target, name);
    }

    /// <summary>Python's slice of text, a list, a tuple or a range.</summary>
    public static object? Slice(object? target, object? start, object? stop, object? step, Rendering r)
    {
        if (target is Undefined undefined) throw undefined.Error();
        var text = Py.TextOf(target);
        var list = text is null ? Py.Sequence(target) : null;
        if (text is null && list is null)
            throw new Fault(target is PyDict ? "unhashable type: 'slice'" : $"'{Py.TypeName(target)}' object is not subscriptable");
        if (text is not null) r.ChargeText(text.Length);
        var count = text is null ? list!.Count : CodePoints.Count(text);
        var stride = step is null ? 1 : Arithmetic.Index(step, "slice indices must be integers or None or have an __index__ method");
        if (stride == 0) throw new Fault("slice step cannot be zero");
        long Bound(object? value, long absent, long low, long high)
        {
            if (value is null) return absent;
            var bound = Arithmetic.Index(value, "slice indices must be integers or None or have an __index__ method");
            return Math.Clamp(bound < 0 ? bound + count : bound, low, high);
        }
        var (from, to) = stride > 0
            ? (Bound(start, 0, 0, count), Bound(stop, count, 0, count))
            : (Bound(start, count - 1, -1, count - 1), Bound(stop, -1, -1, count - 1));
        var length = stride > 0 ? Math.Max(0, (to - from + stride - 1) / stride) : Math.Max(0, (from - to - stride - 1) / -stride);
        if (text is not null)
        {
            var piece = CodePoints.Slice(text, from, stride, length);
            return target is SafeText ? new SafeText(piece) : piece;
        }
        r.Charge(length);
        var items = new object?[length];
        for (long i = 0, at = from; i < length; i++, at += stride) items[i] = list![(int)at];
        return target is PyTuple ? new PyTuple(items) : new List<object?>(items);
    }

    /// <summary>A method of a dict, also where a key has the same name; undefined if it is unsafe, null if there is none.</summary>
    private static object? Method(PyDict dict, string name) => IsUnsafe(name) || DictMethods.Unsafe.Contains(name) ? Undefined.Unsafe(dict, name)
        : Bound(DictMethods.Table, name, dict);

    private static BoundMethod? Bound(FrozenDictionary<string, Function> table, string name, object? self) =>
        table.TryGetValue(name, out var method) ? new BoundMethod(method, self) : null;

    private static object? Member(Namespace space, string name, Rendering r)
    {
        r.Trace?.SeeChangeable();
        return space.TryGet(name, out var value) ? value : Undefined.Of(space, name);
    }

    /// <summary>What every Python object has: __class__ and the like.</summary>
    private static bool IsUnsafe(string name) => name is ['_', '_', _, .., '_', '_'];

    /// <summary>A method or property of anything but a dict or namespace; null where there is none.</summary>
    private static object? Member(object? target, string name, Rendering r)
    {
        if (IsUnsafe(name)) return Undefined.Unsafe(target, name);
        if (target is Transcript) r.Trace?.SeeAll();
        return target switch
        {
            string or SafeText => Bound(StringMethods.Table, name, target),
            List<object?> when SequenceMethods.Unsafe.Contains(name) => Undefined.Unsafe(target, name),
            List<object?> => Bound(SequenceMethods.List, name, target),
            PyTuple tuple => tuple.Field(name, out var field) ? field : Bound(SequenceMethods.Tuple, name, target),
            PyRange range => range.Property(name) ?? Bound(SequenceMethods.Tuple, name, target),
            Loop loop => loop.Member(name, r),
            MacroFunction macro => macro.Property(name),
            long or bool or System.Numerics.BigInteger or double => Bound(NumberMethods.Table, name, target),
            Stateful stateful => stateful.Member(name),
            _ => null,
        };
    }
}
