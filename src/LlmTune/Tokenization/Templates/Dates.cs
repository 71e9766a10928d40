using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>strftime in the C locale, with glibc's flags (<c>%-d</c>: no padding).</summary>
internal static class Dates
{
    public static string Format(string format, DateTimeOffset now)
    {
        var text = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            var flag = format[i + 1] is '-' or '_' or '0' or '^' or '#' && i + 2 < format.Length ? format[++i] : ' ';
            text.Append(Directive(format[++i], flag, now) ?? $"%{(flag == ' ' ? "" : flag)}{format[i]}");
        }
        return text.ToString();
    }

    private static string? Directive(char directive, char flag, DateTimeOffset now)
    {
        string Number(int value, int width, char padding = '0')
        {
            var digits = value.ToString(CultureInfo.InvariantCulture);
            return flag == '-' ? digits : digits.PadLeft(width, flag switch { '_' => ' ', '0' => '0', _ => padding });
        }
        string Name(string format)
        {
            var name = now.ToString(format, CultureInfo.InvariantCulture);
            return flag is '^' or '#' ? name.ToUpperInvariant() : name;
        }
        var hour = now.Hour % 12 == 0 ? 12 : now.Hour % 12;
        var weekday = (int)now.DayOfWeek;
        return directive switch
        {
            'a' => Name("ddd"),
            'A' => Name("dddd"),
            'b' or 'h' => Name("MMM"),
            'B' => Name("MMMM"),
            'c' => now.ToString("ddd MMM ", CultureInfo.InvariantCulture) + Format("%e %H:%M:%S %Y", now),
            'C' => Number(now.Year / 100, 2),
            'd' => Number(now.Day, 2),
            'D' or 'x' => Format("%m/%d/%y", now),
            'e' => Number(now.Day, 2, ' '),
            'f' => now.ToString("ffffff", CultureInfo.InvariantCulture),
            'F' => Format("%Y-%m-%d", now),
            'g' => Number(ISOWeek.GetYear(now.DateTime) % 100, 2),
            'G' => Number(ISOWeek.GetYear(now.DateTime), 4),
            'H' => Number(now.Hour, 2),
            'I' => Number(hour, 2),
            'j' => Number(now.DayOfYear, 3),
            'k' => Number(now.Hour, 2, ' '),
            'l' => Number(hour, 2, ' '),
            'm' => Number(now.Month, 2),
            'M' => Number(now.Minute, 2),
            'n' => "\n",
            'p' => flag == '#' ? now.Hour < 12 ? "am" : "pm" : now.Hour < 12 ? "AM" : "PM",
            'P' => now.Hour < 12 ? "am" : "pm",
            'r' => Format("%I:%M:%S %p", now),
            'R' => Format("%H:%M", now),
            's' => now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            'S' => Number(now.Second, 2),
            't' => "\t",
            'T' or 'X' => Format("%H:%M:%S", now),
            'u' => Number(weekday == 0 ? 7 : weekday, 1),
            'U' => Number((now.DayOfYear + 6 - weekday) / 7, 2),
            'V' => Number(ISOWeek.GetWeekOfYear(now.DateTime), 2),
            'w' => Number(weekday, 1),
            'W' => Number((now.DayOfYear + 6 - (weekday + 6) % 7) / 7, 2),
            'y' => Number(now.Year % 100, 2),
            'Y' => Number(now.Year, 4),
            'z' or 'Z' => "", // datetime.now() carries no zone
            '%' => "%",
            _ => null,
        };
    }
}
