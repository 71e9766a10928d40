using System.Globalization;
using System.Numerics;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>Python's str and repr.</summary>
internal static partial class Py
{
    /// <summary>str(value): what printing and ~ give.</summary>
    public static string Text(object? value, Rendering r) => value switch
    {
        string text => text,
        SafeText safe => safe.Text,
        Undefined => "",
        null or bool or long or double or BigInteger => Scalar(value),
        _ => Repr(value, r),
    };

    /// <summary>repr(value): text in quotes, as it stands inside lists.</summary>
    public static string Repr(object? value, Rendering r)
    {
        var text = new StringBuilder();
        AppendRepr(text, value, r);
        r.ChargeText(text.Length);
        return text.ToString();
    }

    /// <summary>repr of text: in single quotes, unless it has some and no double ones; what is not printable is escaped.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder(text.Length + 2);
        AppendQuoted(quoted, text);
        return quoted.ToString();
    }

    /// <summary>str of None, truth values and numbers.</summary>
    public static string Scalar(object? value) => value switch
    {
        null => "None",
        bool flag => flag ? "True" : "False",
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => Arithmetic.FloatText(number),
        BigInteger number => number.GetBitLength() < 14_284 ? number.ToString(CultureInfo.InvariantCulture)
            : throw new Fault("Exceeds the limit (4300 digits) for integer string conversion"),
        string text => Quote(text),
        _ => $"<{TypeName(value)}>",
    };

    private static void AppendRepr(StringBuilder text, object? value, Rendering r)
    {
        r.Step();
        r.CheckLength(text.Length);
        switch (value)
        {
            case string s:
                r.ChargeText(s.Length);
                AppendQuoted(text, s);
                break;
            case SafeText safe:
                text.Append("Markup(");
                AppendQuoted(text, safe.Text);
                text.Append(')');
                break;
            case List<object?> list: AppendItems(text, "[", list, "]", r); break;
            case PyTuple tuple: AppendItems(text, "(", tuple.Items, tuple.Items.Length == 1 ? ",)" : ")", r); break;
            case PyDict dict: AppendEntries(text, dict, r); break;
            case PyView view: AppendItems(text, view.TypeName + "([", [.. view], "])", r); break;
            case Namespace space:
                text.Append("<Namespace ");
                AppendEntries(text, space.Attributes, r);
                text.Append('>');
                break;
            case PyRange or Loop: text.Append(value); break;
            case Undefined: text.Append("Undefined"); break;
            case MacroFunction macro: text.Append("<Macro ").Append(Quote(macro.Name)).Append('>'); break;
            default: text.Append(Scalar(value)); break;
        }
    }

    private static void AppendItems(StringBuilder text, string open, IReadOnlyList<object?> items, string close, Rendering r)
    {
        text.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0) text.Append(", ");
            AppendRepr(text, items[i], r);
        }
        text.Append(close);
    }

    private static void AppendEntries(StringBuilder text, PyDict dict, Rendering r)
    {
        text.Append('{');
        for (var i = 0; i < dict.Count; i++)
        {
            if (i > 0) text.Append(", ");
            AppendRepr(text, dict[i].Key, r);
            text.Append(": ");
            AppendRepr(text, dict[i].Value, r);
        }
        text.Append('}');
    }

    private static void AppendQuoted(StringBuilder quoted, string text)
    {
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        quoted.Append(quote);
        foreach (var rune in text.EnumerateRunes())
        {
            var c = rune.Value;
            if (c == quote || c == '\\') quoted.Append('\\').Append((char)c);
            else if (c is '\n' or '\r' or '\t') quoted.Append(c switch { '\n' => "\\n", '\r' => "\\r", _ => "\\t" });
            else if (IsPrintable(rune)) quoted.Append(rune.ToString());
            else if (c < 0x100) quoted.Append(CultureInfo.InvariantCulture, $"\\x{c:x2}");
            else if (c < 0x10000) quoted.Append(CultureInfo.InvariantCulture, $"\\u{c:x4}");
            else quoted.Append(CultureInfo.InvariantCulture, $"\\U{c:x8}");
        }
        quoted.Append(quote);
    }

    /// <summary>str.isprintable: no separators but the space, no controls, formats, surrogates, private or unassigned characters.</summary>
    public static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
