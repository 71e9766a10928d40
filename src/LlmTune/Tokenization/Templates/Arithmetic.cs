using System.Globalization;
using System.Numerics;

namespace LlmTune.Tokenization.Templates;

/// <summary>Python's numbers: whole ones of any size (long, BigInteger beyond it), floats, truth values as 0 and 1; + * % on text and lists.</summary>
internal static class Arithmetic
{
    /// <summary>Whole numbers longer than this are refused: nothing in a chat needs them.</summary>
    private const long MostBits = 1 << 16;

    public static bool IsNumber(object? value) => value is long or double or bool or BigInteger;

    private static bool IsWhole(object? value) => value is long or bool or BigInteger;

    /// <summary>A whole number as long where it fits.</summary>
    public static object Normalize(BigInteger value) => value >= long.MinValue && value <= long.MaxValue ? (object)(long)value : value;

    public static BigInteger Whole(object value) => value switch { long n => n, bool flag => flag ? 1 : 0, _ => (BigInteger)value };

    public static double Float(object value) =>
        value switch { double n => n, long n => n, bool flag => flag ? 1 : 0, _ => (double)(BigInteger)value };

    /// <summary>Whether a value is a whole number that can be an index.</summary>
    public static bool TryIndex(object? value, out long index)
    {
        index = value switch { long n => n, bool flag => flag ? 1 : 0, BigInteger n => n.Sign < 0 ? long.MinValue / 2 : long.MaxValue / 2, _ => 0 };
        return IsWhole(value);
    }

    public static long Index(object? value, string problem) => TryIndex(value, out var index) ? index : throw Undefined.ErrorOr(value, problem);

    /// <summary>Order of two numbers, exact also between whole ones and floats; NaN is not equal to anything.</summary>
    public static int Compare(object a, object b)
    {
        if (a is long x && b is long y) return x.CompareTo(y);
        if (!IsWhole(a) && !IsWhole(b)) return Float(a) is var p && Float(b) is var q && p == q ? 0 : p < q ? -1 : 1;
        if (IsWhole(a) && IsWhole(b)) return Whole(a).CompareTo(Whole(b));
        if (IsWhole(b)) return -Compare(b, a);
        var number = (double)b;
        if (double.IsNaN(number)) return 1;
        if (double.IsInfinity(number)) return number > 0 ? -1 : 1;
        var order = Whole(a).CompareTo(new BigInteger(Math.Floor(number)));
        return order == 0 && number != Math.Floor(number) ? -1 : order;
    }

    public static object? Sign(object? value, bool negative)
    {
        if (value is Undefined undefined) throw undefined.Error();
        if (!IsNumber(value)) throw new Fault($"bad operand type for unary {(negative ? '-' : '+')}: '{Py.TypeName(value)}'");
        if (value is double number) return negative ? -number : number;
        return Normalize(negative ? -Whole(value!) : Whole(value!));
    }

    public static object? Add(object? a, object? b, Rendering r)
    {
        if (a is string s && b is string t)
        {
            r.ChargeText((long)s.Length + t.Length);
            return s + t;
        }
        if (a is long x && b is long y && (x + y is var sum) && ((x ^ sum) & (y ^ sum)) >= 0) return sum;
        CheckDefined(a, b);
        if (a is SafeText || b is SafeText) return AddSafe(a, b, r);
        if ((a, b) is (List<object?>, List<object?>) or (PyTuple, PyTuple))
        {
            var (p, q) = (Py.Sequence(a)!, Py.Sequence(b)!);
            r.Charge(p.Count + q.Count);
            return a is PyTuple ? new PyTuple([.. p, .. q]) : new List<object?>([.. p, .. q]);
        }
        if (a is string or List<object?> or PyTuple)
            throw new Fault($"can only concatenate {Py.TypeName(a)} (not \"{Py.TypeName(b)}\") to {Py.TypeName(a)}");
        if (!IsNumber(a) || !IsNumber(b)) throw Unsupported("+", a, b);
        return a is double || b is double ? Float(a!) + Float(b!) : Normalize(Whole(a!) + Whole(b!));
    }

    public static object? Subtract(object? a, object? b)
    {
        CheckNumbers("-", a, b);
        return a is double || b is double ? Float(a!) - Float(b!) : Normalize(Whole(a!) - Whole(b!));
    }

    public static object? Multiply(object? a, object? b, Rendering r)
    {
        CheckDefined(a, b);
        if (IsWhole(a) && !IsNumber(b)) (a, b) = (b, a);
        if (Py.TextOf(a) is { } text && TryIndex(b, out var times))
        {
            r.ChargeText(Math.Max(0, Math.Min(times, int.MaxValue)) * text.Length);
            var repeated = times <= 0 || text.Length == 0 ? "" : new System.Text.StringBuilder().Insert(0, text, (int)times).ToString();
            return a is SafeText ? new SafeText(repeated) : repeated;
        }
        if (a is List<object?> or PyTuple && TryIndex(b, out times))
        {
            var items = Py.Sequence(a)!;
            r.Charge(Math.Max(0, Math.Min(times, int.MaxValue)) * items.Count);
            var repeated = new List<object?>();
            for (long i = 0; i < times && items.Count > 0; i++) repeated.AddRange(items);
            return a is PyTuple ? new PyTuple([.. repeated]) : repeated;
        }
        if (a is string or List<object?> or PyTuple) throw new Fault($"can't multiply sequence by non-int of type '{Py.TypeName(b)}'");
        CheckNumbers("*", a, b);
        return a is double || b is double ? Float(a!) * Float(b!) : Normalize(Whole(a!) * Whole(b!));
    }

    public static object? Divide(object? a, object? b)
    {
        CheckNumbers("/", a, b);
        if (Float(b!) == 0) throw new Fault(a is double || b is double ? "float division by zero" : "division by zero");
        return Float(a!) / Float(b!);
    }

    public static object? FloorDivide(object? a, object? b)
    {
        CheckNumbers("//", a, b);
        if (a is double || b is double)
        {
            var (x, y) = (Float(a!), Float(b!));
            if (y == 0) throw new Fault("float floor division by zero");
            return Math.Floor((x - FloatModulo(x, y)) / y + 0.5);
        }
        var (p, q) = (Whole(a!), Whole(b!));
        if (q.IsZero) throw new Fault("integer division or modulo by zero");
        var quotient = BigInteger.DivRem(p, q, out var rest);
        return Normalize(!rest.IsZero && rest.Sign != q.Sign ? quotient - 1 : quotient);
    }

    /// <summary>The rest with the sign of the divisor; on text, printf's formatting.</summary>
    public static object? Modulo(object? a, object? b, Rendering r)
    {
        if (Py.TextOf(a) is { } format)
        {
            var text = PrintfFormat.Apply(format, b, r);
            return a is SafeText ? new SafeText(text) : text;
        }
        CheckNumbers("%", a, b);
        if (a is double || b is double)
        {
            if (Float(b!) == 0) throw new Fault("float modulo by zero");
            return FloatModulo(Float(a!), Float(b!));
        }
        var divisor = Whole(b!);
        if (divisor.IsZero) throw new Fault("integer modulo by zero");
        var rest = BigInteger.Remainder(Whole(a!), divisor);
        return Normalize(!rest.IsZero && rest.Sign != divisor.Sign ? rest + divisor : rest);
    }

    public static object? Power(object? a, object? b, Rendering r)
    {
        CheckNumbers("** or pow()", a, b);
        if (IsWhole(a) && IsWhole(b) && Whole(b!).Sign >= 0)
        {
            var (value, exponent) = (Whole(a!), Whole(b!));
            var bits = BigInteger.Abs(value) <= 1 ? 1 : exponent * value.GetBitLength();
            if (bits > MostBits) throw new Fault("a whole number becomes too large");
            r.Charge(1 + (long)bits / 64);
            if (BigInteger.Abs(value) <= 1) return Normalize(exponent.IsZero || (value.Sign < 0 && exponent.IsEven) ? 1 : value);
            return Normalize(BigInteger.Pow(value, (int)exponent));
        }
        if (Float(a!) == 0 && Float(b!) < 0) throw new Fault("0.0 cannot be raised to a negative power");
        if (Float(a!) < 0 && Float(b!) != Math.Floor(Float(b!))) throw new Fault("complex numbers are not supported");
        return Math.Pow(Float(a!), Float(b!));
    }

    /// <summary>repr of a float: the shortest digits, an exponent below 1e−4 and from 1e16 on.</summary>
    public static string FloatText(double value)
    {
        if (double.IsNaN(value)) return "nan";
        if (double.IsInfinity(value)) return value > 0 ? "inf" : "-inf";
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        var e = shortest.IndexOf('E');
        if (e < 0 && Math.Abs(value) is (>= 1e-4 and < 1e16) or 0) return shortest.Contains('.') ? shortest : shortest + ".0";
        var mantissa = (e < 0 ? shortest : shortest[..e]).TrimStart('-');
        var point = mantissa.IndexOf('.') is var at and >= 0 ? at : mantissa.Length;
        var plain = mantissa.Replace(".", "", StringComparison.Ordinal);
        var significant = plain.TrimStart('0');
        var digits = significant.TrimEnd('0');
        var written = e < 0 ? 0 : int.Parse(shortest.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var exponent = written + point - 1 - (plain.Length - significant.Length);
        var sign = value < 0 ? "-" : "";
        if (exponent is >= -4 and < 0) return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        if (exponent is >= 0 and < 16 && digits.Length <= exponent + 1) return $"{sign}{digits.PadRight(exponent + 1, '0')}.0";
        if (exponent is >= 0 and < 16) return $"{sign}{digits.Insert(exponent + 1, ".")}";
        return $"{sign}{digits[0]}{(digits.Length > 1 ? "." : "")}{digits[1..]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    private static double FloatModulo(double x, double y)
    {
        var rest = x % y;
        return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
    }

    private static SafeText AddSafe(object? a, object? b, Rendering r)
    {
        if (Py.TextOf(a) is null || Py.TextOf(b) is null) throw Unsupported("+", a, b);
        string Escaped(object? v) => v is SafeText safe ? safe.Text : SafeText.Escape((string)v!).Text;
        var text = Escaped(a) + Escaped(b);
        r.ChargeText(text.Length);
        return new SafeText(text);
    }

    private static void CheckDefined(object? a, object? b)
    {
        if (a is Undefined left) throw left.Error();
        if (b is Undefined right) throw right.Error();
    }

    private static void CheckNumbers(string symbol, object? a, object? b)
    {
        CheckDefined(a, b);
        if (!IsNumber(a) || !IsNumber(b)) throw Unsupported(symbol, a, b);
        static bool IsHuge(object? value) => value is BigInteger whole && whole.GetBitLength() > MostBits;
        if (IsHuge(a) || IsHuge(b)) throw new Fault("a whole number becomes too large");
    }

    private static Fault Unsupported(string symbol, object? a, object? b) =>
        new($"unsupported operand type(s) for {symbol}: '{Py.TypeName(a)}' and '{Py.TypeName(b)}'");
}
