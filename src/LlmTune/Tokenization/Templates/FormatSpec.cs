using System.Globalization;
using System.Numerics;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>Python's format specifications: [[fill]align][sign][#][0][width][,][.precision][type].</summary>
internal readonly record struct FormatSpec(
    string Fill, char Align, char Sign, bool Alternate, bool Zero, long Width, char Grouping, long Precision, char Type)
{
    public static FormatSpec Parse(string text)
    {
        var at = 0;
        var (fill, align) = (" ", '\0');
        var units = text.Length > 1 && char.IsSurrogatePair(text[0], text[1]) ? 2 : 1;
        if (text.Length > units && text[units] is '<' or '>' or '^' or '=')
            (fill, align, at) = (text[..units], text[units], units + 1);
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
        var written = scientific.AsSpan(scientific.IndexOf(letter) + 1);
        var exponent = value == 0 ? 0 : int.Parse(written, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
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
