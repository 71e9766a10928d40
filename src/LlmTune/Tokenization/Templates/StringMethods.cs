using System.Buffers;
using System.Collections.Frozen;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>Methods of Python's str. What they return is markup again if the text was, and then what they put in is escaped.</summary>
internal static class StringMethods
{
    public static readonly FrozenDictionary<string, Function> Table = Build();

    private static FrozenDictionary<string, Function> Build()
    {
        var table = new Dictionary<string, Function>();
        void Add(string name, string[] parameters, int required, Func<string, object?[], Rendering, object?> method) =>
            table[name] = new Function(name, ["self", .. parameters], required + 1, (r, a) => Keep(a[0], method(Py.TextOf(a[0])!, a, r), r));
        void Predicate(string name, Func<string, bool> holds) => Add(name, [], 0, (s, _, _) => Py.Box(holds(s)));

        Add("upper", [], 0, (s, _, _) => Casing.Upper(s));
        Add("lower", [], 0, (s, _, _) => Casing.Lower(s));
        Add("casefold", [], 0, (s, _, _) => Casing.Fold(s));
        Add("capitalize", [], 0, (s, _, _) => Casing.Capitalize(s));
        Add("title", [], 0, (s, _, _) => Casing.Title(s));
        Add("swapcase", [], 0, (s, _, _) => Casing.Swap(s));
        Add("strip", ["chars"], 0, (s, a, _) => Strip(s, a.TextOrNone(1), true, true));
        Add("lstrip", ["chars"], 0, (s, a, _) => Strip(s, a.TextOrNone(1), true, false));
        Add("rstrip", ["chars"], 0, (s, a, _) => Strip(s, a.TextOrNone(1), false, true));
        Add("removeprefix", ["prefix"], 1, (s, a, _) => s.StartsWith(a.Text(1), StringComparison.Ordinal) ? s[a.Text(1).Length..] : s);
        Add("removesuffix", ["suffix"], 1, (s, a, _) => s.EndsWith(a.Text(1), StringComparison.Ordinal) ? s[..^a.Text(1).Length] : s);
        Add("split", ["sep", "maxsplit"], 0, (s, a, r) => Charged(TextSplit.Split(s, a.TextOrNone(1), a.Integer(2, -1)), r));
        Add("rsplit", ["sep", "maxsplit"], 0, (s, a, r) => Charged(TextSplit.SplitFromEnd(s, a.TextOrNone(1), a.Integer(2, -1)), r));
        Add("splitlines", ["keepends"], 0, (s, a, r) => Charged(Whitespace.Lines(s, a.Flag(1)), r));
        Add("partition", ["sep"], 1, (s, a, _) => TextSplit.Partition(s, a.Text(1)));
        Add("rpartition", ["sep"], 1, (s, a, _) => TextSplit.PartitionFromEnd(s, a.Text(1)));
        Add("join", ["items"], 1, (s, a, r) => Join(s, a, r));
        Add("replace", ["old", "new", "count"], 2, (s, a, r) => Replace(s, Inserted(a, 1), Inserted(a, 2), a.Integer(3, -1), r));
        Add("startswith", ["prefix", "start", "end"], 1, (s, a, _) => Affix("startswith", s, a, (w, affix) => w.StartsWith(affix, StringComparison.Ordinal)));
        Add("endswith", ["suffix", "start", "end"], 1, (s, a, _) => Affix("endswith", s, a, (w, affix) => w.EndsWith(affix, StringComparison.Ordinal)));
        Add("find", ["sub", "start", "end"], 1, (s, a, _) => Find(s, a, last: false));
        Add("rfind", ["sub", "start", "end"], 1, (s, a, _) => Find(s, a, last: true));
        Add("index", ["sub", "start", "end"], 1, (s, a, _) => Found(Find(s, a, last: false)));
        Add("rindex", ["sub", "start", "end"], 1, (s, a, _) => Found(Find(s, a, last: true)));
        Add("count", ["sub", "start", "end"], 1, (s, a, _) => Count(s, a));
        Add("center", ["width", "fillchar"], 1, (s, a, r) => Pad(s, a, r, (missing, width) => missing / 2 + (missing & width & 1)));
        Add("ljust", ["width", "fillchar"], 1, (s, a, r) => Pad(s, a, r, (_, _) => 0));
        Add("rjust", ["width", "fillchar"], 1, (s, a, r) => Pad(s, a, r, (missing, _) => missing));
        Add("zfill", ["width"], 1, (s, a, r) => ZeroFill(s, a.Integer(1, 0), r));
        Add("expandtabs", ["tabsize"], 0, (s, a, r) => ExpandTabs(s, a.Integer(1, 8), r));
        Add("format", ["*args", "**kwargs"], 0, (s, a, r) => StringFormat.Apply(s, (object?[])a[1]!, (PyDict)a[2]!, r));
        Add("format_map", ["mapping"], 1,
            (s, a, r) => StringFormat.Apply(s, [], a[1] as PyDict ?? throw new Fault("format_map() takes a mapping"), r));
        Predicate("isalpha", s => All(s, Rune.IsLetter));
        Predicate("isalnum", s => All(s, c => Rune.IsLetter(c) || Casing.IsNumeric(c)));
        Predicate("isascii", s => s.All(char.IsAscii));
        Predicate("isdecimal", s => All(s, Rune.IsDigit));
        Predicate("isdigit", s => All(s, Casing.IsDigit));
        Predicate("isnumeric", s => All(s, Casing.IsNumeric));
        Predicate("isspace", s => s.Length > 0 && s.All(Whitespace.Contains));
        Predicate("isprintable", s => s.EnumerateRunes().All(Py.IsPrintable));
        Predicate("islower", Casing.IsLower);
        Predicate("isupper", Casing.IsUpper);
        Predicate("istitle", Casing.IsTitle);
        Predicate("isidentifier", s => s.Length > 0 && !char.IsDigit(s[0]) && All(s, c => c.Value == '_' || Rune.IsLetterOrDigit(c)));
        return table.ToFrozenDictionary();
    }

    /// <summary>str.strip, with the set of characters or white space.</summary>
    public static string Strip(string text, string? characters, bool start, bool end)
    {
        if (characters is null && !end) return text.TrimStart(Whitespace.Characters);
        if (characters is null) return start ? text.Trim(Whitespace.Characters) : text.TrimEnd(Whitespace.Characters);
        var (from, to) = (0, text.Length);
        var set = characters.EnumerateRunes().ToHashSet();
        while (start && from < to && Rune.TryGetRuneAt(text, from, out var rune) && set.Contains(rune)) from += rune.Utf16SequenceLength;
        while (end && to > from && Rune.DecodeLastFromUtf16(text.AsSpan(from, to - from), out var rune, out var units) == OperationStatus.Done
            && set.Contains(rune))
            to -= units;
        return text[from..to];
    }

    /// <summary>str.replace, <paramref name="count"/> times at most, all for −1. An empty <paramref name="old"/> stands around every character.</summary>
    public static string Replace(string text, string old, string @new, long count, Rendering r)
    {
        if (count == 0) return text;
        if (old.Length == 0) return ReplaceNothing(text, @new, count < 0 ? long.MaxValue : count, r);
        if (count < 0 && @new.Length <= old.Length) return text.Replace(old, @new, StringComparison.Ordinal);
        var result = new StringBuilder();
        var start = 0;
        for (; count != 0 && text.IndexOf(old, start, StringComparison.Ordinal) is var at and >= 0; count--)
        {
            r.ChargeText(@new.Length);
            r.CheckLength(result.Length);
            result.Append(text, start, at - start).Append(@new);
            start = at + old.Length;
        }
        return result.Append(text, start, text.Length - start).ToString();
    }

    private static string ReplaceNothing(string text, string inserted, long count, Rendering r)
    {
        var places = Math.Min(CodePoints.Count(text) + 1, count);
        r.ChargeText(text.Length + places * inserted.Length);
        var result = new StringBuilder();
        var done = 0L;
        foreach (var character in CodePoints.Each(text))
        {
            if (done++ < places) result.Append(inserted);
            result.Append((string)character!);
        }
        return done < places ? result.Append(inserted).ToString() : result.ToString();
    }

    /// <summary>Results of a method of markup are markup; all that is made counts.</summary>
    private static object? Keep(object? self, object? result, Rendering r)
    {
        if (result is string made) r.ChargeText(made.Length);
        if (self is not SafeText) return result;
        return result switch
        {
            string text => new SafeText(text),
            List<object?> list => list.ConvertAll(i => i is string text ? new SafeText(text) : i),
            PyTuple tuple => new PyTuple(Array.ConvertAll(tuple.Items, i => i is string text ? new SafeText(text) : i)),
            _ => result,
        };
    }

    /// <summary>Text that goes into the result: escaped where that is markup.</summary>
    private static string Inserted(object?[] a, int i) => a[0] is SafeText && a[i] is string plain ? SafeText.Escape(plain).Text : a.Text(i);

    private static List<object?> Charged(List<object?> pieces, Rendering r)
    {
        r.Charge(pieces.Count);
        return pieces;
    }

    private static string Join(string separator, object?[] a, Rendering r)
    {
        var pieces = new List<string>();
        var length = 0L;
        foreach (var item in Py.Iterate(a[1], r))
        {
            var piece = Py.TextOf(item) ?? throw new Fault($"sequence item {pieces.Count}: expected str instance, {Py.TypeName(item)} found");
            pieces.Add(a[0] is SafeText && item is string plain ? SafeText.Escape(plain).Text : piece);
            r.ChargeText(length += piece.Length + separator.Length);
        }
        return string.Join(separator, pieces);
    }

    /// <summary>The part of the text that optional start and end arguments leave, and where it begins.</summary>
    private static (string Window, int Start, bool Empty) Window(string text, object?[] a)
    {
        if (!a.Has(2) && !a.Has(3)) return (text, 0, false);
        var count = CodePoints.Count(text);
        long Bound(int i, long absent)
        {
            if (!a.Has(i) || a[i] is null) return absent;
            var bound = a.Integer(i, 0);
            return bound < 0 ? Math.Max(0, bound + count) : Math.Min(bound, count + 1L);
        }
        var (start, end) = (Bound(2, 0), Math.Min(Bound(3, count), count));
        if (start > end) return ("", 0, true);
        var (from, to) = (CodePoints.Unit(text, start), CodePoints.Unit(text, end));
        return (text[from..to], from, false);
    }

    private static object Affix(string method, string text, object?[] a, Func<string, string, bool> holds)
    {
        var (window, _, empty) = Window(text, a);
        if (a[1] is PyTuple several)
        {
            string Part(object? item) => Py.TextOf(item) ?? throw new Fault($"tuple for {method} must only contain str, not {Py.TypeName(item)}");
            return Py.Box(Array.Exists(several.Items, i => holds(window, Part(i))));
        }
        var affix = Py.TextOf(Py.Defined(a[1])) ?? throw new Fault($"{method} first arg must be str or a tuple of str, not {Py.TypeName(a[1])}");
        return Py.Box(!empty && holds(window, affix));
    }

    private static long Find(string text, object?[] a, bool last)
    {
        var (window, start, empty) = Window(text, a);
        if (empty) return -1;
        var at = last ? window.LastIndexOf(a.Text(1), StringComparison.Ordinal) : window.IndexOf(a.Text(1), StringComparison.Ordinal);
        return at < 0 ? -1 : CodePoints.Index(text, start + at);
    }

    private static long Found(long at) => at >= 0 ? at : throw new Fault("substring not found");

    private static long Count(string text, object?[] a)
    {
        var (window, _, empty) = Window(text, a);
        var sub = a.Text(1);
        if (empty) return 0;
        return sub.Length == 0 ? CodePoints.Count(window) + 1 : window.AsSpan().Count(sub);
    }

    private static string Pad(string text, object?[] a, Rendering r, Func<long, long, long> left)
    {
        var (width, fill) = (a.Integer(1, 0), a.Has(2) ? a.Text(2) : " ");
        if (CodePoints.Count(fill) != 1) throw new Fault("The fill character must be exactly one character long");
        var missing = width - CodePoints.Count(text);
        if (missing <= 0) return text;
        r.ChargeText(Math.Min(missing, int.MaxValue) * fill.Length);
        var before = left(missing, width);
        var padded = new StringBuilder(text).Insert(0, fill, (int)before);
        return padded.Insert(padded.Length, fill, (int)(missing - before)).ToString();
    }

    private static string ZeroFill(string text, long width, Rendering r)
    {
        var missing = width - CodePoints.Count(text);
        if (missing <= 0) return text;
        r.ChargeText(missing);
        var sign = text.Length > 0 && text[0] is '+' or '-' ? 1 : 0;
        return text[..sign] + new string('0', (int)missing) + text[sign..];
    }

    private static string ExpandTabs(string text, long size, Rendering r)
    {
        r.ChargeText(text.AsSpan().Count('\t') * Math.Clamp(size, 0, int.MaxValue));
        var result = new StringBuilder();
        var column = 0L;
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == '\t')
            {
                var spaces = size > 0 ? size - column % size : 0;
                result.Append(' ', (int)spaces);
                column += spaces;
                continue;
            }
            result.Append(rune.ToString());
            column = rune.Value is '\n' or '\r' ? 0 : column + 1;
        }
        return result.ToString();
    }

    private static bool All(string text, Func<Rune, bool> holds) => text.Length > 0 && text.EnumerateRunes().All(holds);
}
