using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tests.Tokenization.Templates;

/// <summary>Whatever a template is, it renders or is refused with a line: nothing else is thrown, and it ends.</summary>
public class TemplateFuzzTests
{
    private static readonly TemplateLimits Limits = new(200_000, 50, 200_000);

    private static readonly JsonObject Variables = JsonNode.Parse(
        """{"s": " Ab\n", "n": null, "i": 7, "f": -2.5, "t": true, "l": [3, "x", [1]], "d": {"k": {"q": 1}, "items": 2}, "o": [{"r": "u", "c": "é🙂"}, {"r": "a"}]}""")!.AsObject();

    private static readonly Gen<string> Atom = Pick(
        "s", "n", "i", "f", "t", "l", "d", "o", "zz", "1", "0", "-1", "2.5", "1e9", "99999999999999999999", "'a'", "''", "'é🙂'", "'%s %d'", "'{} {0}'", "true", "none", "[]", "{}", "()",
        "[1, 'b', none]", "{'a': [1]}", "range(4)", "namespace(a=1)", "loop", "dict", "m", "cycler(1, 2)", "joiner()");

    private static readonly string[] Filters =
    [
        .. LlmTune.Tokenization.Templates.Filters.Table.Keys, "batch(3, 1)", "batch(0)", "batch(-1)", "slice(3)", "slice(0)", "truncate(3)", "truncate(99999999999)", "indent(3)", "indent(-5)", "round(2)",
        "round(99999999999)", "round(-400)", "replace('a', 'bb')", "replace('', '-')", "default(1, true)", "join(',', 'r')", "map('upper')", "map(attribute='r.k')", "map('zz')", "map()", "select('odd')",
        "selectattr('r', 'eq', 'u')", "sort(attribute='r,c')", "groupby('r')", "dictsort(by='value')", "tojson(indent=3)", "tojson(separators=1)", "int(0, 16)", "int(0, 99)", "center(99999999999999999999)", "attr('k')",
        "format(1, 2)", "sum('r')", "unique(attribute='r')", "xmlattr", "trim(1)",
    ];

    private static readonly string[] Members =
    [
        .. StringMethods.Table.Keys.Select(k => k + "()"), .. DictMethods.Table.Keys.Select(k => k + "()"), "split('')", "split(none, -99999999999999999999)", "replace('a', 'b', -5)", "zfill(99999999999)", "ljust(9, 'ab')",
        "center(7, '')", "find('a', -99, 99)", "format(*l)", "format('🙂', k=1)", "join(l)", "get([])", "count('', 1, 0)", "index('zz')", "startswith((1,))", "expandtabs(-3)", "k", "items", "append", "__class__", "0", "_x",
        "strip(5)", "translate({})", "next()", "is_integer()", "bit_length()", "startswith('a', none, none)",
    ];

    private static readonly string[] TestNames = [.. LlmTune.Tokenization.Templates.Tests.Table.Keys.Where(k => char.IsLetter(k[0])), "divisibleby 0", "in 'ab'", "in 5", "gt 'a'", "sameas none", "zz"];

    private static Gen<string> Expression(int depth) => depth == 0 ? Atom : Gen.Frequency(
        (2, Atom),
        (3, Gen.Select(Expression(depth - 1), Pick("+", "-", "*", "/", "//", "%", "**", "~", "==", "<", ">=", "in", "not in", "and", "or"), Expression(depth - 1), (a, o, b) => $"{a} {o} {b}")),
        (3, Gen.Select(Expression(depth - 1), Pick(Filters), (a, f) => $"({a})|{f}")),
        (2, Gen.Select(Expression(depth - 1), Pick(Members), (a, f) => $"({a}).{f}")),
        (1, Gen.Select(Expression(depth - 1), Pick(TestNames), (a, f) => $"({a}) is {f}")),
        (1, Gen.Select(Expression(depth - 1), Expression(depth - 1), (a, b) => $"({a})[{b}]")),
        (1, Gen.Select(Expression(depth - 1), Expression(depth - 1), Pick("1", "-1", "0", "2", "99999999999999999999", "'a'"), (a, b, c) => $"({a})[{b}:{c}:{c}]")),
        (1, Gen.Select(Expression(depth - 1), Expression(depth - 1), (a, b) => $"({a})({b})")),
        (1, Gen.Select(Expression(depth - 1), Expression(depth - 1), Expression(depth - 1), (a, b, c) => $"{a} if {b} else {c}")),
        (1, Gen.Select(Expression(depth - 1), (string a) => $"-{a}")));

    private static Gen<string> Pick(params string[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static Gen<string> Body(int depth) => Statement(depth).Array[0, 3].Select(string.Concat);

    private static Gen<string> Statement(int depth)
    {
        var value = Expression(3);
        var print = value.Select(e => $"{{{{ {e} }}}}");
        return depth == 0 ? print : Gen.Frequency(
            (5, print),
            (1, Pick(" ", "\n", "text", "{", "{{", "%}", "{% raw %}{{{% endraw %}", "{# c #}", "{% break %}", "{% continue %}", "{% include 'x' %}")),
            (2, Gen.Select(value, Body(depth - 1), Body(depth - 1), (e, a, b) => $"{{% if {e} %}}{a}{{%- else -%}}{b}{{% endif %}}")),
            (2, Gen.Select(value, value, Body(depth - 1), Pick("", " recursive"), (e, c, a, r) => $"{{% for x in {e} if {c}{r} %}}{a}{{{{ loop.last }}}}{{% endfor %}}")),
            (2, Gen.Select(value, Pick("l", "a, b", "s", "ns.a"), (e, t) => $"{{% set {t} = {e} %}}")),
            (1, Gen.Select(Pick(Filters), Body(depth - 1), (f, a) => $"{{% set s | {f} %}}{a}{{% endset %}}")),
            (1, Gen.Select(value, Body(depth - 1), (e, a) => $"{{% macro m(p, q={e}) %}}{a}{{{{ p }}}}{{% endmacro %}}{{{{ m(1) }}}}{{% call m({e}) %}}{{% endcall %}}")),
            (1, Body(depth - 1).Select(a => $"{{% generation %}}{a}{{% endgeneration %}}")),
            (1, Gen.Select(value, Body(depth - 1), (e, a) => $"{{% with x = {e} %}}{a}{{% endwith %}}")));
    }

    [Fact]
    public void Random_templates_render_or_are_refused() => Body(3).Sample(RendersOrIsRefused, iter: 10_000);

    [Fact]
    public void Damaged_templates_render_or_are_refused()
    {
        var sources = TemplateGoldenTests.Features.Select(row => row.Data)
            .SelectMany(folder => File.ReadAllText(Path.Combine(folder, Golden.Read(folder).GetProperty("lines").GetString()!)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("template").GetString()!).ToArray();
        Gen.Select(Pick(sources), Gen.Int[0, 10_000], Gen.Int[0, 4], Pick("{", "}", "%", "(", ")", "[", "'", "|", ".", "-", "\\", "{%", "%}", "{{ ", " if ", "\n", "\0", "\ud800", "1e", "0x", ""))
            .Sample((source, at, remove, insert) =>
            {
                at %= source.Length + 1;
                return RendersOrIsRefused(source[..at] + insert + source[Math.Min(source.Length, at + remove)..]);
            }, iter: 10_000);
    }

    [Fact]
    public void Random_text_renders_or_is_refused() =>
        Pick("{{", "}}", "{%", "%}", "{#", "#}", "-", "+", " ", "\n", "if", "endif", "for", "in", "set", "x", "=", "'", "\"", "(", ")", "[", "]", "|", ".", ",", "1", "raw", "endraw", "é", "🙂", "\ud83d")
            .Array[0, 40].Select(string.Concat).Sample(RendersOrIsRefused, iter: 10_000);

    private static bool RendersOrIsRefused(string source)
    {
        try
        {
            Template.Parse(source).Render(Variables, limits: Limits);
        }
        catch (TemplateException e)
        {
            return e.Line >= 1;
        }
        return true;
    }
}
