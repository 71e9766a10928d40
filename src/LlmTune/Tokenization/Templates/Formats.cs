using System.Globalization;
using System.Numerics;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>Python's format specifications: [[fill]align][sign][#][0][width][,][.precision][type].</summary>
internal readonly record struct FormatSpec(string Fill, char Align, char Sign, bool Alternate, bool Zero, long Width, char Grouping, long Precision, char Type)
{
    public static FormatSpec Parse(string text)
    {
        var at = 0;
        var (fill, align) = (" ", '\0');
        if (text.Length > 0 && Rune.TryGetRuneAt(text, 0, out var first) && first.Utf16SequenceLength is var units && text.Length > units && text[units] is '<' or '>' or '^' or '=')
            (fill, align, at) = (first.ToString(), text[units], units + 1);
        else if (text.Length > 0 && text[0] is '<' or '>' or '^' or '=')
            (align, at) = (text[0], 1);
        bool Take(params ReadOnlySpan<char> any) => at < text.Length && any.Contains(text[at]);
        var sign = Take('+', '-', ' ') ? text[at++] : '-';
        var alternate = Take('#') && at++ >= 0;
        var zero = Take('0') && at++ >= 0;
        var width = ReadInteger(text, ref at);
        var grouping = Take(',', '_') ? text[at++] : '\0';
        var precision = -1L;
        if (Take('.'))
        {
            at++;
            precision = ReadInteger(text, ref at);
            if (precision < 0) throw new Fault("Format specifier missing precision");
        }
        var type = at < text.Length ? text[at++] : '\0';
        if (at < text.Length) throw new Fault("Invalid format specifier");
        return new FormatSpec(fill, align, sign, alternate, zero, Math.Max(0, width), grouping, precision, type);
    }

    /// <summary>A value in this form. Numbers stand at the right, all else at the left.</summary>
    public string Apply(object? value, Rendering r)
    {
        if (Precision > 4096 || Width > 1_000_000) throw new Fault("a format is too wide");
        r.ChargeText(Math.Max(Width, 0));
        if (!Arithmetic.IsNumber(value) || (value is bool && Type is '\0' or 's'))
        {
            if (Type is not ('\0' or 's')) throw new Fault($"Unknown format code '{Type}' for object of type '{Py.TypeName(value)}'");
            var text = Py.Text(value, r);
            if (Precision >= 0 && Precision < CodePoints.Count(text)) text = text[..CodePoints.Unit(text, Precision)];
            return Pad(text, "", '<');
        }
        var isFloat = value is double || Type is 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%';
        if (Type is 's') throw new Fault($"Unknown format code 's' for object of type '{Py.TypeName(value)}'");
        if (!isFloat && Precision >= 0) throw new Fault("Precision not allowed in integer format specifier");
        var negative = isFloat ? Arithmetic.Float(value!) is var d && (d < 0 || double.IsNegative(d)) : Arithmetic.Whole(value!).Sign < 0;
        var digits = isFloat ? FloatDigits(Math.Abs(Arithmetic.Float(value!))) : WholeDigits(BigInteger.Abs(Arithmetic.Whole(value!)));
        return Pad(Group(digits), negative ? "-" : Sign == '-' ? "" : Sign.ToString(), '>');
    }

    private string WholeDigits(BigInteger value) => Type switch
    {
        '\0' or 'd' or 'n' => value.ToString(CultureInfo.InvariantCulture),
        'c' => CodePoints.Character(value),
        'x' or 'X' or 'o' or 'b' => (Alternate ? $"0{Type}" : "") + InRadix(value, Type switch { 'o' => 8, 'b' => 2, _ => 16 }, Type == 'X'),
        _ => throw new Fault($"Unknown format code '{Type}' for object of type 'int'"),
    };

    private static string InRadix(BigInteger value, int radix, bool upper)
    {
        var digits = new StringBuilder();
        do
        {
            digits.Insert(0, (upper ? "0123456789ABCDEF" : "0123456789abcdef")[(int)(value % radix)]);
            value /= radix;
        }
        while (!value.IsZero);
        return digits.ToString();
    }

    private string FloatDigits(double value)
    {
        if (!double.IsFinite(value)) return Type is 'F' or 'E' or 'G' ? double.IsNaN(value) ? "NAN" : "INF" : double.IsNaN(value) ? "nan" : "inf";
        var places = Precision < 0 ? 6 : (int)Precision;
        return Type switch
        {
            'f' or 'F' => value.ToString("F" + places, CultureInfo.InvariantCulture),
            '%' => (value * 100).ToString("F" + places, CultureInfo.InvariantCulture) + "%",
            'e' or 'E' => Exponential(value, places, Type),
            'g' or 'G' or 'n' => General(value, Math.Max(1, places), Type == 'G' ? 'E' : 'e', false),
            '\0' => Precision < 0 ? Arithmetic.FloatText(value) : General(value, Math.Max(1, places), 'e', true),
            _ => throw new Fault($"Unknown format code '{Type}' for object of type 'float'"),
        };
    }

    private static string Exponential(double value, int places, char letter)
    {
        var text = value.ToString((letter == 'E' ? "E" : "e") + places, CultureInfo.InvariantCulture);
        var at = text.IndexOf(letter);
        return $"{text[..(at + 2)]}{int.Parse(text.AsSpan(at + 2), CultureInfo.InvariantCulture):00}";
    }

    /// <summary>As many digits as asked for, with an exponent where the number is very large or small, without zeros at the end.</summary>
    private static string General(double value, int digits, char letter, bool keepsPoint)
    {
        var scientific = Exponential(value, digits - 1, letter);
        var exponent = value == 0 ? 0 : int.Parse(scientific.AsSpan(scientific.IndexOf(letter) + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        static string Trim(string text) => text.Contains('.') ? text.TrimEnd('0').TrimEnd('.') : text;
        if (exponent < -4 || exponent >= (keepsPoint ? digits - 1 : digits) && exponent >= digits - (keepsPoint ? 1 : 0))
            return Trim(scientific[..scientific.IndexOf(letter)]) + scientific[scientific.IndexOf(letter)..];
        var text = Trim(value.ToString("F" + Math.Max(0, digits - 1 - exponent), CultureInfo.InvariantCulture));
        return keepsPoint && !text.Contains('.') ? text + ".0" : text;
    }

    private string Group(string digits)
    {
        if (Grouping == '\0') return digits;
        var end = digits.AsSpan().IndexOfAnyExceptInRange('0', '9') is var at and >= 0 ? at : digits.Length;
        for (var i = end - 3; i > 0; i -= 3) digits = digits.Insert(i, Grouping.ToString());
        return digits;
    }

    private string Pad(string text, string sign, char natural)
    {
        var missing = (int)(Width - CodePoints.Count(text) - sign.Length);
        if (missing <= 0) return sign + text;
        var align = Align != '\0' ? Align : Zero && natural == '>' ? '=' : natural;
        var fill = Zero && Align == '\0' ? "0" : Fill;
        string Filled(int count) => new StringBuilder().Insert(0, fill, count).ToString();
        return align switch
        {
            '<' => sign + text + Filled(missing),
            '^' => Filled(missing / 2) + sign + text + Filled(missing - missing / 2),
            '=' => sign + Filled(missing) + text,
            _ => Filled(missing) + sign + text,
        };
    }

    private static long ReadInteger(string text, ref int at)
    {
        var start = at;
        var value = 0L;
        for (; at < text.Length && char.IsAsciiDigit(text[at]); at++) value = Math.Min(10 * value + text[at] - '0', int.MaxValue);
        return at > start ? value : -1;
    }
}

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
            value = !isItem ? Access.Attribute(value, key, r) : Access.Item(value, long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : key, r);
            if (isItem) end++;
        }
        return value;
    }
}

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
        if (!named && next < positional.Length && arguments is not (PyDict or List<object?> or PyRange or Undefined)) throw new Fault("not all arguments converted during string formatting");
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
                var character = Py.TextOf(value) ?? (Arithmetic.IsNumber(value) && value is not double ? CodePoints.Character(Arithmetic.Whole(value!)) : throw new Fault("%c requires int or char"));
                return (spec with { Zero = false, Precision = -1, Type = 's' }).Apply(character, r);
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                if (!Arithmetic.IsNumber(value) || (value is double && type is 'x' or 'X' or 'o'))
                    throw new Fault($"%{type} format: a {(type is 'x' or 'X' or 'o' ? "integer" : "real number")} is required, not {Py.TypeName(value)}");
                var whole = value is double d ? new BigInteger(Math.Truncate(d)) : Arithmetic.Whole(value!);
                if (spec.Precision > whole.ToString(CultureInfo.InvariantCulture).TrimStart('-').Length) spec = spec with { Width = Math.Max(spec.Width, spec.Precision + (whole.Sign < 0 ? 1 : 0)), Zero = true };
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
            return next < positional.Length ? Arithmetic.Index(positional[next++], "* wants int") : throw new Fault("not enough arguments for format string");
        }
        var value = 0L;
        for (; i < format.Length && char.IsAsciiDigit(format[i]); i++) value = Math.Min(10 * value + format[i] - '0', int.MaxValue);
        return value;
    }
}
