using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>str.format in the sandbox: {}, {0}, {name}, {0.attribute[key]!r:spec}.</summary>
internal static class StringFormat
{
    public static string Apply(string format, object?[] positional, PyDict named, Rendering r)
    {
        var next = 0;
        return Apply(format, positional, named, ref next, 2, r);
    }

    private static string Apply(string format, object?[] positional, PyDict named, ref int next, int depth, Rendering r)
    {
        if (depth == 0) throw new Fault("Max string recursion exceeded");
        var text = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            var c = format[i];
            if (c is '{' or '}' && i + 1 < format.Length && format[i + 1] == c) text.Append(format[i++]);
            else if (c == '}') throw new Fault("Single '}' encountered in format string");
            else if (c != '{') text.Append(c);
            else
            {
                var end = FieldEnd(format, i + 1);
                var piece = Field(format[(i + 1)..end], positional, named, ref next, depth, r);
                r.ChargeText(piece.Length);
                r.CheckLength(text.Length + piece.Length);
                text.Append(piece);
                i = end;
            }
        }
        return text.ToString();
    }

    private static int FieldEnd(string format, int at)
    {
        for (var depth = 1; at < format.Length; at++)
        {
            depth += format[at] switch { '{' => 1, '}' => -1, _ => 0 };
            if (depth == 0) return at;
        }
        throw new Fault("expected '}' before end of string");
    }

    private static string Field(string field, object?[] positional, PyDict named, ref int next, int depth, Rendering r)
    {
        var colon = field.IndexOf(':');
        var spec = colon >= 0 ? field[(colon + 1)..] : "";
        var name = colon >= 0 ? field[..colon] : field;
        var conversion = '\0';
        if (name.Length >= 2 && name[^2] == '!') (name, conversion) = (name[..^2], name[^1]);
        var value = Lookup(name, positional, named, ref next, r);
        if (spec.Contains('{')) spec = Apply(spec, positional, named, ref next, depth - 1, r);
        return FormatSpec.Parse(spec).Apply(conversion switch
        {
            '\0' => value,
            's' => Py.Text(value, r),
            'r' or 'a' => Py.Repr(value, r),
            _ => throw new Fault($"Unknown conversion specifier {conversion}"),
        }, r);
    }

    private static object? Lookup(string name, object?[] positional, PyDict named, ref int next, Rendering r)
    {
        var end = name.AsSpan().IndexOfAny('.', '[') is var at and >= 0 ? at : name.Length;
        var head = name[..end];
        object? value;
        if (head.Length == 0 || int.TryParse(head, NumberStyles.None, CultureInfo.InvariantCulture, out _))
        {
            var index = head.Length == 0 ? next++ : int.Parse(head, CultureInfo.InvariantCulture);
            if (index >= positional.Length) throw new Fault($"Replacement index {index} out of range for positional args tuple");
            value = positional[index];
        }
        else if (!named.TryGet(head, out value))
        {
            throw new Fault(Py.Quote(head));
        }
        while (end < name.Length)
        {
            var start = end + 1;
            var isItem = name[end] == '[';
            end = isItem ? name.IndexOf(']', start) : name.AsSpan(start).IndexOfAny('.', '[') is var stop and >= 0 ? start + stop : name.Length;
            if (end < 0) throw new Fault("Missing ']' in format string");
            var key = name[start..end];
            value = !isItem ? Access.Attribute(value, key, r)
                : long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? Access.Item(value, number, r)
                : Access.Item(value, key, r);
            if (isItem) end++;
        }
        return value;
    }
}
