using System.Globalization;
using System.Numerics;

namespace LlmTune.Tokenization.Templates;

/// <summary>Filters on numbers, and those that make numbers of text.</summary>
internal static partial class Filters
{
    private static IEnumerable<Function> Numbers() =>
    [
        new("abs", ["x"], 1, (r, a) => a[0] switch
        {
            double number => Math.Abs(number),
            long or bool or BigInteger => Arithmetic.Normalize(BigInteger.Abs(Arithmetic.Whole(a[0]!))),
            Undefined undefined => throw undefined.Error(),
            _ => throw new Fault($"bad operand type for abs(): '{Py.TypeName(a[0])}'"),
        }),
        new("int", ["value", "default", "base"], 1, (r, a) => ToInt(a[0], a.Or(1, 0L), a.Integer(2, 10))),
        new("float", ["value", "default"], 1, (r, a) => TryFloat(Py.Defined(a[0]), out var number) ? number : a.Or(1, 0.0)),
        new("round", ["value", "precision", "method"], 1, (r, a) => Round(a[0], a.Integer(1, 0), a.Has(2) ? a.Text(2) : "common", r)),
    ];

    private static object? ToInt(object? value, object? otherwise, long radix)
    {
        if (value is Undefined undefined) throw undefined.Error();
        if (Py.TextOf(value) is { } text)
        {
            var digits = text.Trim(Whitespace.Characters);
            if (radix != 10 && TryRadix(digits, radix, out var whole)) return whole;
            if (radix == 10 && digits.Length < 4300 && TryWhole(digits, out whole)) return whole;
        }
        if (!TryFloat(value, out var number)) return otherwise;
        return double.IsFinite(number) ? value is BigInteger ? value : Arithmetic.Normalize(new BigInteger(Math.Truncate(number)))
            : otherwise;
    }

    private static bool TryWhole(string digits, out object value)
    {
        var plain = digits.Replace("_", "", StringComparison.Ordinal);
        var parsed = BigInteger.TryParse(plain, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole)
            && digits is not (['_', ..] or [.., '_']);
        value = parsed ? Arithmetic.Normalize(whole) : 0L;
        return parsed;
    }

    private static bool TryRadix(string digits, long radix, out object value)
    {
        value = 0L;
        var negative = digits.StartsWith('-');
        var body = digits.TrimStart('+', '-');
        var prefix = radix switch { 16 => "0x", 8 => "0o", 2 => "0b", _ => "" };
        if (prefix.Length > 0 && body.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) body = body[2..];
        if (body.Length is 0 or > 4300) return false;
        var whole = BigInteger.Zero;
        foreach (var c in body)
        {
            var digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : 99;
            if (digit >= radix) return false;
            whole = whole * radix + digit;
        }
        value = Arithmetic.Normalize(negative ? -whole : whole);
        return true;
    }

    private static bool TryFloat(object? value, out double number)
    {
        number = Arithmetic.IsNumber(value) ? Arithmetic.Float(value!) : 0;
        if (Arithmetic.IsNumber(value)) return true;
        if (Py.TextOf(value) is not { } text) return false;
        var digits = text.Trim(Whitespace.Characters);
        var name = digits.TrimStart('+', '-').ToLowerInvariant();
        var named = name switch { "inf" or "infinity" => double.PositiveInfinity, "nan" => double.NaN, _ => 0 };
        if (named != 0)
        {
            number = digits.StartsWith('-') ? -named : named;
            return true;
        }
        const NumberStyles style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return double.TryParse(digits.Replace("_", "", StringComparison.Ordinal), style, CultureInfo.InvariantCulture, out number);
    }

    private static double ToFloat(object? value, Rendering r)
    {
        if (value is Undefined undefined) throw undefined.Error();
        if (TryFloat(value, out var number)) return number;
        throw new Fault(Py.TextOf(value) is not null
            ? $"could not convert string to float: {Py.Repr(value, r)}"
            : $"float() argument must be a string or a real number, not '{Py.TypeName(value)}'");
    }

    /// <summary>Rounds half to even, as Python does; a whole number stays whole.</summary>
    private static object Round(object? value, long precision, string method, Rendering r)
    {
        if (method is not ("common" or "ceil" or "floor")) throw new Fault("method must be common, ceil or floor");
        if (value is Undefined undefined) throw undefined.Error();
        if (!Arithmetic.IsNumber(value)) throw new Fault($"type {Py.TypeName(value)} doesn't define __round__ method");
        if (Math.Abs(precision) > 300) throw new Fault("the precision is out of range");
        var number = Arithmetic.Float(value!);
        if (method != "common")
        {
            var scale = Math.Pow(10, precision);
            return (method == "ceil" ? Math.Ceiling(number * scale) : Math.Floor(number * scale)) / scale;
        }
        if (value is not double && precision >= 0) return Arithmetic.Normalize(Arithmetic.Whole(value!));
        var coarse = Math.Round(number / Math.Pow(10, -precision), MidpointRounding.ToEven) * Math.Pow(10, -precision);
        if (value is not double) return Arithmetic.Normalize(new BigInteger(coarse));
        if (!double.IsFinite(number) || precision > 22) return number;
        if (precision < 0) return coarse;
        return double.Parse(number.ToString("F" + precision, CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }
}
