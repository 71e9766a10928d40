using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmTune.Tokenization.Templates;

/// <summary>JSON to values and back, as Python's json module has it.</summary>
internal static class PyJson
{
    /// <summary>What is written as it stands where everything beyond ASCII is escaped.</summary>
    private static readonly SearchValues<char> PlainAscii = SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c).Except("\"\\")]);

    /// <summary>What is escaped in any case.</summary>
    private static readonly SearchValues<char> Escaped = SearchValues.Create([.. Enumerable.Range(0, ' ').Select(c => (char)c), '"', '\\']);

    public static object? Read(JsonNode? node, int mark = -1) => node switch
    {
        null => null,
        JsonObject map => ReadObject(map, mark),
        JsonArray array => array.Select(n => Read(n)).ToList(),
        _ => node.GetValueKind() switch
        {
            JsonValueKind.String => node.GetValue<string>(),
            JsonValueKind.True => Py.True,
            JsonValueKind.False => Py.False,
            JsonValueKind.Number => node.AsValue().TryGetValue<JsonElement>(out var json) ? ReadNumber(json.GetRawText())
                : node.AsValue().TryGetValue<double>(out var number) ? number : ReadNumber(node.ToJsonString()),
            _ => null,
        },
    };

    private static PyDict ReadObject(JsonObject map, int mark)
    {
        var dict = new PyDict(map.Count) { Mark = mark };
        foreach (var (key, value) in map) dict.Set(key, Read(value));
        return dict;
    }

    /// <summary>A value as it was parsed; of a name that stands twice in an object the last counts.</summary>
    public static object? Read(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                return PyDict.Of(element.EnumerateObject().Select(property => (property.Name, Read(property.Value))));
            case JsonValueKind.Array:
                return element.EnumerateArray().Select(Read).ToList();
            case JsonValueKind.String:
                return element.GetString();
            case JsonValueKind.Number:
                return ReadNumber(element.GetRawText());
            case JsonValueKind.True:
                return Py.True;
            case JsonValueKind.False:
                return Py.False;
            default:
                return null;
        }
    }

    /// <summary>A number with a point or an exponent is a float, any other is whole.</summary>
    private static object ReadNumber(string text) => text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0
        ? double.Parse(text, CultureInfo.InvariantCulture)
        : Arithmetic.Normalize(BigInteger.Parse(text, CultureInfo.InvariantCulture));

    /// <summary>json.dumps(value, ensure_ascii=False).</summary>
    public static string Write(object? value) => Write(value, JsonStyle.OneLine, new Rendering(TemplateLimits.Default, TimeProvider.System));

    /// <summary>json.dumps(value, ensure_ascii, indent, separators, sort_keys).</summary>
    public static string Write(object? value, JsonStyle style, Rendering r)
    {
        var text = new StringBuilder();
        new Writer(text, style, r).Append(value, 0);
        r.ChargeText(text.Length);
        return text.ToString();
    }

    private readonly struct Writer(StringBuilder text, JsonStyle style, Rendering r)
    {
        public void Append(object? value, int level)
        {
            r.Step();
            r.CheckLength(text.Length);
            switch (value)
            {
                case null: text.Append("null"); break;
                case bool flag: text.Append(flag ? "true" : "false"); break;
                case double.PositiveInfinity: text.Append("Infinity"); break;
                case double.NegativeInfinity: text.Append("-Infinity"); break;
                case double.NaN: text.Append("NaN"); break;
                case double number: text.Append(Arithmetic.FloatText(number)); break;
                case long or BigInteger: text.Append(Py.Scalar(value)); break;
                case string or SafeText: AppendText(Py.TextOf(value)!); break;
                case List<object?> list: AppendList(list, level); break;
                case PyTuple tuple: AppendList(tuple.Items, level); break;
                case PyDict dict: AppendDict(dict, level); break;
                default: throw new Fault($"Object of type {Py.TypeName(value)} is not JSON serializable");
            }
        }

        private void AppendList(IReadOnlyList<object?> items, int level)
        {
            text.Append('[');
            for (var i = 0; i < items.Count; i++)
            {
                if (i > 0) text.Append(style.ItemSeparator);
                AppendBreak(level + 1);
                Append(items[i], level + 1);
            }
            if (items.Count > 0) AppendBreak(level);
            text.Append(']');
        }

        private void AppendDict(PyDict dict, int level)
        {
            IEnumerable<KeyValuePair<object?, object?>> entries = style.SortKeys ? Sorted(dict) : dict;
            var first = true;
            text.Append('{');
            foreach (var (key, value) in entries)
            {
                if (!first) text.Append(style.ItemSeparator);
                first = false;
                AppendBreak(level + 1);
                AppendText(key switch
                {
                    string name => name,
                    null => "null",
                    bool flag => flag ? "true" : "false",
                    long or double or BigInteger => Py.Scalar(key),
                    _ => throw new Fault($"keys must be str, int, float, bool or None, not {Py.TypeName(key)}"),
                });
                text.Append(style.KeySeparator);
                Append(value, level + 1);
            }
            if (dict.Count > 0) AppendBreak(level);
            text.Append('}');
        }

        private KeyValuePair<object?, object?>[] Sorted(PyDict dict)
        {
            var rendering = r;
            KeyValuePair<object?, object?>[] entries = [.. dict];
            Sorting.Stable(entries, (x, y) => Py.Ordered(x.Key, y.Key, Comparison.Less, rendering));
            return entries;
        }

        private void AppendBreak(int level)
        {
            if (style.Indent is null) return;
            r.ChargeText((long)style.Indent.Length * level);
            text.Append('\n');
            for (var i = 0; i < level; i++) text.Append(style.Indent);
        }

        private void AppendText(string value)
        {
            r.ChargeText(value.Length);
            text.Append('"');
            for (var rest = value.AsSpan(); ; rest = rest[1..])
            {
                var plain = style.Ascii ? rest.IndexOfAnyExcept(PlainAscii) : rest.IndexOfAny(Escaped);
                if (plain < 0)
                {
                    text.Append(rest);
                    break;
                }
                text.Append(rest[..plain]);
                rest = rest[plain..];
                var c = rest[0];
                switch (c)
                {
                    case '"': text.Append("\\\""); break;
                    case '\\': text.Append("\\\\"); break;
                    case '\n': text.Append("\\n"); break;
                    case '\r': text.Append("\\r"); break;
                    case '\t': text.Append("\\t"); break;
                    case '\b': text.Append("\\b"); break;
                    case '\f': text.Append("\\f"); break;
                    default: text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"); break;
                }
            }
            text.Append('"');
        }
    }
}

/// <param name="Ascii">Whether everything beyond ASCII is escaped.</param>
/// <param name="Indent">What each level is indented by; null for a single line.</param>
internal sealed record JsonStyle(bool Ascii, string? Indent, string ItemSeparator, string KeySeparator, bool SortKeys)
{
    public static JsonStyle OneLine { get; } = new(Ascii: false, Indent: null, ", ", ": ", SortKeys: false);
}
