using System.Numerics;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>The % operator on text: %s, %-10.3f, %(name)d.</summary>
internal static class PrintfFormat
{
    public static string Apply(string format, object? arguments, Rendering r)
    {
        var positional = arguments is PyTuple tuple ? tuple.Items : [arguments];
        var text = new StringBuilder();
        var (next, named) = (0, false);
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }
            var piece = Directive(format, ref i, arguments, positional, ref next, ref named, r);
            r.ChargeText(piece.Length);
            r.CheckLength(text.Length + piece.Length);
            text.Append(piece);
        }
        if (!named && next < positional.Length && arguments is not (PyDict or List<object?> or PyRange or Undefined))
            throw new Fault("not all arguments converted during string formatting");
        return text.ToString();
    }

    private static string Directive(string format, ref int i, object? arguments, object?[] positional, ref int next, ref bool named, Rendering r)
    {
        object? value = null;
        var found = false;
        char Peek(int at) => at < format.Length ? format[at] : throw new Fault("incomplete format");
        object? Next(ref int taken) => taken < positional.Length ? positional[taken++] : throw new Fault("not enough arguments for format string");
        if (Peek(++i) == '(')
        {
            var end = format.IndexOf(')', i);
            if (end < 0) throw new Fault("incomplete format key");
            if (arguments is not PyDict dict) throw new Fault("format requires a mapping");
            var key = format[(i + 1)..end];
            if (!dict.TryGet(key, out value)) throw new Fault(Py.Quote(key));
            (found, named, i) = (true, true, end + 1);
        }
        var spec = new FormatSpec(" ", '>', '-', false, false, 0, '\0', -1, '\0');
        for (; Peek(i) is '-' or '+' or ' ' or '#' or '0'; i++)
        {
            spec = format[i] switch
            {
                '-' => spec with { Align = '<' },
                '#' => spec with { Alternate = true },
                '0' => spec with { Zero = true },
                _ => spec with { Sign = spec.Sign == '+' ? '+' : format[i] },
            };
        }
        var width = ReadNumber(format, ref i, positional, ref next);
        spec = width < 0 ? spec with { Width = -width, Align = '<' } : spec with { Width = width };
        if (Peek(i) == '.')
        {
            i++;
            spec = spec with { Precision = Math.Max(0, ReadNumber(format, ref i, positional, ref next)) };
        }
        while (Peek(i) is 'l' or 'h' or 'L') i++;
        var type = Peek(i);
        if (type == '%') return "%";
        if (!found) value = Next(ref next);
        return Convert(type, value, spec, r);
    }

    private static string Convert(char type, object? value, FormatSpec spec, Rendering r)
    {
        switch (type)
        {
            case 's' or 'r' or 'a':
                return (spec with { Zero = false, Type = 's' }).Apply(type == 's' ? Py.Text(value, r) : Py.Repr(value, r), r);
            case 'c':
                if (!Arithmetic.IsNumber(value) && Py.TextOf(value) is null || value is double) throw new Fault("%c requires int or char");
                var character = Py.TextOf(value) ?? CodePoints.Character(Arithmetic.Whole(value!));
                return (spec with { Zero = false, Precision = -1, Type = 's' }).Apply(character, r);
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                if (!Arithmetic.IsNumber(value) || (value is double && type is 'x' or 'X' or 'o'))
                {
                    var needed = type is 'x' or 'X' or 'o' ? "an integer" : "a real number";
                    throw new Fault($"%{type} format: {needed} is required, not {Py.TypeName(value)}");
                }
                var whole = value is double d ? new BigInteger(Math.Truncate(d)) : Arithmetic.Whole(value!);
                var sign = whole.Sign < 0 ? 1 : 0;
                if (spec.Precision > Py.Scalar(whole).Length - sign)
                    spec = spec with { Width = Math.Max(spec.Width, spec.Precision + sign), Zero = true };
                return (Padded(spec) with { Precision = -1, Type = type is 'i' or 'u' ? 'd' : type }).Apply(Arithmetic.Normalize(whole), r);
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                if (!Arithmetic.IsNumber(value)) throw new Fault($"must be real number, not {Py.TypeName(value)}");
                return (Padded(spec) with { Type = type }).Apply(Arithmetic.Float(value!), r);
            default: throw new Fault($"unsupported format character '{type}' (0x{(int)type:x}) at index 0");
        }
    }

    private static FormatSpec Padded(FormatSpec spec) => spec is { Zero: true, Align: '>' } ? spec with { Align = '\0' } : spec;

    private static long ReadNumber(string format, ref int i, object?[] positional, ref int next)
    {
        if (i < format.Length && format[i] == '*')
        {
            i++;
            if (next >= positional.Length) throw new Fault("not enough arguments for format string");
            return Arithmetic.Index(positional[next++], "* wants int");
        }
        var value = 0L;
        for (; i < format.Length && char.IsAsciiDigit(format[i]); i++) value = Math.Min(10 * value + format[i] - '0', int.MaxValue);
        return value;
    }
}
