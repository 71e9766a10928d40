using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmTune.Config;

public enum ScalarKind
{
    Null,
    Bool,
    Int,
    Float,
    Text,
}

/// <summary>
/// What an unquoted value means by the core schema of YAML 1.2 (section 10.3): yes, 1_000 and 12:30 are text, 017 is 17, 1e-4 is a number.
/// </summary>
internal static partial class CoreSchema
{
    public static ScalarKind KindOf(string text) => text switch
    {
        "" or "~" or "null" or "Null" or "NULL" => ScalarKind.Null,
        "true" or "True" or "TRUE" or "false" or "False" or "FALSE" => ScalarKind.Bool,
        _ when Int().IsMatch(text) => ScalarKind.Int,
        _ when Float().IsMatch(text) => ScalarKind.Float,
        _ => ScalarKind.Text,
    };

    /// <summary>Of a text of kind Bool.</summary>
    public static bool Bool(string text) => text[0] is 't' or 'T';

    /// <summary>Of a text of kind Int; false where it does not fit.</summary>
    public static bool TryInt(string text, out long value) => text switch
    {
        ['0', 'x', .. var hex] => long.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value) && value >= 0,
        ['0', 'o', .. var octal] => TryOctal(octal, out value),
        _ => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value),
    };

    /// <summary>Of a text of kind Int or Float.</summary>
    public static double Float(string text)
    {
        if (text.StartsWith("0x", StringComparison.Ordinal) || text.StartsWith("0o", StringComparison.Ordinal))
            return TryInt(text, out var whole) ? whole : double.PositiveInfinity;
        if (text.EndsWith("nan", StringComparison.OrdinalIgnoreCase)) return double.NaN;
        if (text.EndsWith("inf", StringComparison.OrdinalIgnoreCase)) return text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        return double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
    }

    /// <summary>A number as people write it, which reads back equal: 0.03, 2e-4, 32.</summary>
    public static string Number(double value) =>
        Small().Replace(value.ToString("R", CultureInfo.InvariantCulture), match => match.Groups["e"].Success
            ? $"e{match.Groups["sign"]}{match.Groups["e"]}"
            : $"{match.Groups["first"]}{(match.Groups["more"].Length > 0 ? "." : "")}{match.Groups["more"]}e-{match.Groups["zeros"].Length + 1}");

    private static bool TryOctal(string digits, out long value)
    {
        value = 0;
        foreach (var digit in digits)
        {
            if (value >> 60 != 0) return false;
            value = value << 3 | (uint)(digit - '0');
        }
        return true;
    }

    [GeneratedRegex(@"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\z")]
    private static partial Regex Int();

    [GeneratedRegex(@"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\z")]
    private static partial Regex Float();

    /// <summary>What .NET writes for numbers below 0.001 (0.0002), and its exponents (E-05, E+20).</summary>
    [GeneratedRegex(@"(?<![0-9])0\.(?<zeros>000+)(?<first>[1-9])(?<more>[0-9]*)|E(\+|(?<sign>-))0*(?<e>[0-9]+)")]
    private static partial Regex Small();
}
