using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>Jinja's filters, and tojson as transformers replaces it. Those on sequences are in the other part.</summary>
internal static partial class Filters
{
    public static readonly FrozenDictionary<string, Function> Table = Texts().Concat(Numbers()).Concat(Sequences()).Concat(Refused())
        .SelectMany(f => Aliases(f.Name).Select(name => (name, f))).ToFrozenDictionary(p => p.name, p => p.f);

    private static string[] Aliases(string name) => name switch
    {
        "default" => ["default", "d"],
        "length" => ["length", "count"],
        "escape" => ["escape", "e"],
        _ => [name],
    };

    private static IEnumerable<Function> Texts() =>
    [
        new("string", ["object"], 1, (r, a) => a[0] is SafeText ? a[0] : Py.Text(a[0], r)),
        new("safe", ["value"], 1, (r, a) => a[0] is SafeText ? a[0] : new SafeText(Py.Text(a[0], r))),
        new("escape", ["s"], 1, (r, a) => a[0] is SafeText ? a[0] : Escape(Py.Text(a[0], r), r)),
        new("forceescape", ["value"], 1, (r, a) => Escape(Py.Text(a[0], r), r)),
        new("upper", ["s"], 1, (r, a) => OnText(a[0], Casing.Upper, r)),
        new("lower", ["s"], 1, (r, a) => OnText(a[0], Casing.Lower, r)),
        new("capitalize", ["s"], 1, (r, a) => OnText(a[0], Casing.Capitalize, r)),
        new("title", ["s"], 1, (r, a) => Title(Py.Text(a[0], r))),
        new("trim", ["value", "chars"], 1, (r, a) => OnText(a[0], s => StringMethods.Strip(s, a.TextOrNone(1), true, true), r)),
        new("replace", ["s", "old", "new", "count"], 3,
            (r, a) => StringMethods.Replace(Py.Text(a[0], r), Py.Text(a[1], r), Py.Text(a[2], r), a.Or(3, null) is null ? -1 : a.Integer(3, -1), r)),
        new("format", ["value", "*args", "**kwargs"], 1,
            (r, a) => PrintfFormat.Apply(Py.Text(a[0], r), ((PyDict)a[2]!).Count > 0 ? a[2] : new PyTuple((object?[])a[1]!), r)),
        new("indent", ["s", "width", "first", "blank"], 1, (r, a) => Indent(a[0], a.Or(1, 4L), a.Flag(2), a.Flag(3), r)),
        new("center", ["value", "width"], 1, (r, a) => StringMethods.Table["center"].Invoke(r, Py.Text(a[0], r), new Arguments([a.Or(1, 80L)], []))),
        new("truncate", ["s", "length", "killwords", "end", "leeway"], 1,
            (r, a) => Truncate(a[0], a.Integer(1, 255), a.Flag(2), a.Has(3) ? a.Text(3) : "...", a.Or(4, null) is null ? 5 : a.Integer(4, 5), r)),
        new("wordcount", ["s"], 1, (r, a) => WordCount(Py.Text(a[0], r))),
        new("striptags", ["value"], 1, (r, a) => StripTags(Py.Text(a[0], r))),
        new("urlencode", ["value"], 1, (r, a) => UrlEncode(a[0], r)),
        new("filesizeformat", ["value", "binary"], 1, (r, a) => FileSize(ToFloat(a[0], r), a.Flag(1))),
        new("tojson", ["x", "ensure_ascii", "indent", "separators", "sort_keys"], 1, (r, a) => ToJson(a, r)),
        new("xmlattr", ["d", "autospace"], 1, (r, a) => XmlAttributes(a[0], a.Flag(1, true), r)),
    ];

    /// <summary>Filters that a chat template has no use for are refused by name, when they are reached.</summary>
    private static IEnumerable<Function> Refused() => ((string[])["pprint", "random", "urlize", "wordwrap"])
        .Select(name => new Function(name, ["*args", "**kwargs"], 0, (_, _) => throw new Fault($"the filter '{name}' is not supported")));

    /// <summary>A function of text on any value; markup stays markup.</summary>
    private static object OnText(object? value, Func<string, string> function, Rendering r)
    {
        var text = function(Py.Text(value, r));
        return value is SafeText ? new SafeText(text) : text;
    }

    private static SafeText Escape(string text, Rendering r)
    {
        var escaped = SafeText.Escape(text);
        r.ChargeText(escaped.Text.Length);
        return escaped;
    }

    /// <summary>Words begin after white space, a hyphen or an opening bracket.</summary>
    private static string Title(string text)
    {
        var result = new StringBuilder();
        static bool Separates(char c) => c is '-' or '(' or '{' or '[' or '<' || Whitespace.Contains(c);
        for (var at = 0; at < text.Length;)
        {
            var end = at;
            while (end < text.Length && Separates(text[end]) == Separates(text[at])) end++;
            var first = char.IsSurrogatePair(text, at) ? 2 : 1;
            result.Append(Casing.Upper(text.Substring(at, first))).Append(Casing.Lower(text[(at + first)..end]));
            at = end;
        }
        return result.ToString();
    }

    private static object Indent(object? value, object? width, bool first, bool blank, Rendering r)
    {
        if (Py.TextOf(value) is not { } text) throw Undefined.ErrorOr(value, $"unsupported operand type(s) for +=: '{Py.TypeName(value)}' and 'str'");
        var indention = Py.TextOf(width) ?? Spaces(Arithmetic.Index(width, $"can't multiply sequence by non-int of type '{Py.TypeName(width)}'"), r);
        var lines = Whitespace.Lines(text + "\n");
        r.ChargeText((long)lines.Count * indention.Length);
        var result = new StringBuilder(first ? indention : "");
        for (var i = 0; i < lines.Count; i++)
        {
            var line = (string)lines[i]!;
            if (i > 0) result.Append('\n').Append(blank || line.Length > 0 ? indention : "");
            result.Append(line);
        }
        return value is SafeText ? new SafeText(result.ToString()) : result.ToString();
    }

    private static string Spaces(long count, Rendering r)
    {
        r.ChargeText(Math.Max(0, count));
        return new string(' ', (int)Math.Max(0, count));
    }

    private static object? Truncate(object? value, long length, bool killWords, string end, long leeway, Rendering r)
    {
        if (length < CodePoints.Count(end)) throw new Fault($"expected length >= {CodePoints.Count(end)}, got {length}");
        if (leeway < 0) throw new Fault($"expected leeway >= 0, got {leeway}");
        if ((Py.TryLength(value) ?? throw new Fault($"object of type '{Py.TypeName(value)}' has no len()")) <= length + leeway) return value;
        if (Py.TextOf(value) is not { } text) return Arithmetic.Add(Access.Slice(value, null, length - CodePoints.Count(end), null, r), end, r);
        var kept = text[..CodePoints.Unit(text, length - CodePoints.Count(end))];
        var space = kept.LastIndexOf(' ');
        return (killWords || space < 0 ? kept : kept[..space]) + end;
    }

    private static long WordCount(string text)
    {
        var (count, inside) = (0L, false);
        foreach (var rune in text.EnumerateRunes())
        {
            var word = Rune.IsLetter(rune) || Rune.IsNumber(rune) || rune.Value == '_';
            if (word && !inside) count++;
            inside = word;
        }
        return count;
    }

    private static string StripTags(string text)
    {
        foreach (var (open, close) in ((string, string)[])[("<!--", "-->"), ("<", ">")])
        {
            for (var at = text.IndexOf(open, StringComparison.Ordinal); at >= 0; at = text.IndexOf(open, at, StringComparison.Ordinal))
            {
                var end = text.IndexOf(close, at, StringComparison.Ordinal);
                if (end < 0) break;
                text = text.Remove(at, end + close.Length - at);
            }
        }
        var plain = new StringBuilder(string.Join(' ', TextSplit.Split(text, null, -1)));
        return plain.Replace("&lt;", "<").Replace("&gt;", ">").Replace("&#39;", "'").Replace("&#34;", "\"").Replace("&amp;", "&").ToString();
    }

    private static string UrlEncode(object? value, Rendering r)
    {
        string Quote(object? part, bool query)
        {
            var encoded = new StringBuilder();
            foreach (var unit in Encoding.UTF8.GetBytes(Py.Text(part, r)))
            {
                var c = (char)unit;
                if (char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' or '~' || (c == '/' && !query)) encoded.Append(c);
                else if (c == ' ' && query) encoded.Append('+');
                else encoded.Append(CultureInfo.InvariantCulture, $"%{unit:X2}");
            }
            return encoded.ToString();
        }
        if (Py.TextOf(value) is not null || !Py.IsIterable(value)) return Quote(value, false);
        var pairs = value is PyDict dict ? new PyView(dict, "items") : Py.Iterate(value, r);
        return string.Join('&', pairs.Select(p => Py.List(p, r) is [var k, var v]
            ? $"{Quote(k, true)}={Quote(v, true)}"
            : throw new Fault("not enough values to unpack (expected 2)")));
    }

    private static string FileSize(double bytes, bool binary)
    {
        var step = binary ? 1024.0 : 1000.0;
        if (bytes == 1) return "1 Byte";
        if (bytes < step) return string.Create(CultureInfo.InvariantCulture, $"{Math.Truncate(bytes)} Bytes");
        string[] units = binary ? ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"] : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
        var at = 0;
        while (at + 1 < units.Length && bytes >= Math.Pow(step, at + 2)) at++;
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / Math.Pow(step, at + 1):F1} {units[at]}");
    }

    private static string ToJson(object?[] a, Rendering r)
    {
        var indent = a.Or(2, null) switch
        {
            null => null,
            var width when Py.TextOf(width) is { } text => text,
            var width => Spaces(Arithmetic.Index(width, $"can't multiply sequence by non-int of type '{Py.TypeName(width)}'"), r),
        };
        var separators = a.Or(3, null) is { } given ? Py.List(given, r) : null;
        if (separators is not null && (separators.Count != 2 || separators.Exists(s => Py.TextOf(s) is null)))
            throw new Fault("separators must be two texts");
        var (item, key) = separators is null ? (indent is null ? ", " : ",", ": ") : (Py.TextOf(separators[0])!, Py.TextOf(separators[1])!);
        var style = new JsonStyle(a.Flag(1), indent, item, key, a.Flag(4));
        return PyJson.Write(a[0], style, r);
    }

    private static string XmlAttributes(object? value, bool space, Rendering r)
    {
        if (value is not PyDict dict) throw new Fault($"'{Py.TypeName(value)}' object has no attribute 'items'");
        var attributes = dict.Where(e => e.Value is not (null or Undefined)).Select(e =>
        {
            var key = Py.Text(e.Key, r);
            if (key.Any(c => c is '/' or '>' or '=' || (char.IsAscii(c) && Whitespace.Contains(c))))
                throw new Fault($"Invalid character in attribute name: {Py.Quote(key)}");
            return $"{SafeText.Escape(key).Text}=\"{(e.Value is SafeText safe ? safe : SafeText.Escape(Py.Text(e.Value, r))).Text}\"";
        });
        var text = string.Join(' ', attributes);
        r.ChargeText(text.Length);
        return space && text.Length > 0 ? " " + text : text;
    }
}
