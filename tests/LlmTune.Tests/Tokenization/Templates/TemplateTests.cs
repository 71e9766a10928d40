using System.Text.Json.Nodes;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tests.Tokenization.Templates;

public class TemplateTests
{
    [Theory]
    [InlineData("one\n{% if x %}\ntwo\n", "t:3: Unexpected end of template. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'.")]
    [InlineData("{% if x %}\n{% endfor %}", "t:2: Encountered unknown tag 'endfor'. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'.")]
    [InlineData("\n\n{{ 'a' | nofilter }}", "t:3: No filter named 'nofilter'.")]
    [InlineData("{{ 1 is\nnotest }}", "t:1: No test named 'notest'.")]
    [InlineData("{# open", "t:1: Missing end of comment tag")]
    [InlineData("a\n{% raw %}\n", "t:2: Missing end of raw directive")]
    [InlineData("{{ (1, 2] }}", "t:1: unexpected ']', expected ')'")]
    [InlineData("\n{{ $ }}", "t:2: unexpected char '$' at 4")]
    [InlineData("{{ 'open }}", "t:1: unexpected char \"'\" at 3")]
    [InlineData("{{ '\\x4' }}", "t:1: truncated \\xXX escape")]
    [InlineData("{% set true = 1 %}", "t:1: can't assign to 'const'")]
    [InlineData("{% break %}", "t:1: 'break' outside loop")]
    [InlineData("{% for x in y %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}", "t:1: 'continue' outside loop")]
    [InlineData("{{ f(a=1, 2) }}", "t:1: invalid syntax for function call expression")]
    [InlineData("{% macro m(a=1, b) %}{% endmacro %}", "t:1: non-default argument follows default argument")]
    [InlineData("{% autoescape true %}{% endautoescape %}", "t:1: {% autoescape %} is not supported: chat templates are not HTML")]
    public void Mistakes_in_a_template_are_named_with_their_line(string source, string message) =>
        Assert.Equal(message, Assert.Throws<TemplateException>(() => Template.Parse(source, "t")).Message);

    [Theory]
    [InlineData("a\n{{ x.y }}\nb", "t:2: 'x' is undefined")]
    [InlineData("\n{% for i in [1] %}\n{{ raise_exception('no ' ~ i) }}{% endfor %}", "t:3: no 1")]
    [InlineData("{% macro m(a) %}\n{{ a + 1 }}\n{% endmacro %}\n\n{{ m('s') }}", "t:2: can only concatenate str (not \"int\") to str")]
    [InlineData("{% macro m() %}\n\n{% endmacro %}{{ m() }}\n\n{{ 1 / 0 }}", "t:5: division by zero")]
    [InlineData("{% if false %}{{ 1|nofilter }}{% endif %}{% if true %}\n{{ 1|nofilter }}{% endif %}", "t:2: No filter named 'nofilter' found.")]
    [InlineData("{{ range(100001) }}", "t:1: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).")]
    [InlineData("{{ [1].append(2) }}", "t:1: access to attribute 'append' of 'list' object is unsafe.")]
    [InlineData("{{ {}.update({}) }}", "t:1: access to attribute 'update' of 'dict' object is unsafe.")]
    [InlineData("{{ ''.__class__.__mro__ }}", "t:1: access to attribute '__class__' of 'str' object is unsafe.")]
    [InlineData("{{ '{0.__class__}'.format(1) + 1 }}", "t:1: can only concatenate str (not \"int\") to str")]
    [InlineData("{{ 5() }}", "t:1: 'int' object is not callable")]
    [InlineData("{{ 'a'.join([1]) }}", "t:1: sequence item 0: expected str instance, int found")]
    [InlineData("{{ 'a'|replace('b') }}", "t:1: replace() missing required argument: 'new'")]
    [InlineData("{{ 'a'|trim(zz=1) }}", "t:1: trim() got an unexpected keyword argument 'zz'")]
    [InlineData("{{ {[1]: 2} }}", "t:1: unhashable type: 'list'")]
    [InlineData("{% include 'x' %}", "t:1: no loader for this environment specified")]
    [InlineData("{% set x.y = 1 %}", "t:1: cannot assign attribute on non-namespace object")]
    [InlineData("{{ lipsum() }}", "t:1: lipsum() is not supported: it gives a different text every time")]
    public void What_fails_is_named_with_its_line(string source, string message) =>
        Assert.Equal(message, Assert.Throws<TemplateException>(() => Template.Parse(source, "t").Render([])).Message);

    /// <summary>Each of these would run for ever, fill the memory or end the process.</summary>
    [Theory]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "the template takes more than 1,000,000 steps")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "macros call one another more than 50 deep")]
    [InlineData("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "macros call one another more than 50 deep")]
    [InlineData("{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "a text of 131,072 characters: a template may make 100,000")]
    [InlineData("{{ 'ab' * 1000000000000 }}", "a text of 4,294,967,294 characters: a template may make 100,000")]
    [InlineData("{{ [0] * 100000000 }}", "the template takes more than 1,000,000 steps")]
    [InlineData("{{ 10 ** (10 ** 10) }}", "a whole number becomes too large")]
    [InlineData("{{ ''.center(1000000000) }}", "a text of 1,000,000,000 characters: a template may make 100,000")]
    [InlineData("{{ '%1000000000d' % 1 }}", "a format is too wide")]
    [InlineData("{{ 'a'|indent(1000000000, true) }}", "a text of 1,000,000,000 characters: a template may make 100,000")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}", null)]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson }}", null)]
    [InlineData("{% set n = namespace(l=[], m=[]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}", "the template takes more than 1,000,000 steps")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}", null)]
    [InlineData("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", null)]
    [InlineData("{% for i in range(1000) %}0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789X{% endfor %}", "a text of 100,091 characters: a template may make 100,000")]
    public void Limits_stop_a_template(string source, string? problem)
    {
        var e = Assert.Throws<TemplateException>(() => Template.Parse(source).Render([], limits: new TemplateLimits(1_000_000, 50, 100_000)));
        if (problem is not null) Assert.Equal(problem, e.Problem);
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("[", "]")]
    [InlineData("- ", "")]
    [InlineData("not ", "")]
    [InlineData("", "|trim")]
    [InlineData("", " + 1")]
    [InlineData("1 if x else ", "")]
    [InlineData("{1: ", "}")]
    public void Deep_nesting_is_refused(string before, string after)
    {
        const int depth = 200_000;
        var source = "{{ " + string.Concat(Enumerable.Repeat(before, depth)) + "1" + string.Concat(Enumerable.Repeat(after, depth)) + " }}";
        Assert.Equal("the template nests too deeply", Assert.Throws<TemplateException>(() => Template.Parse(source).Render([])).Problem);
    }

    [Fact]
    public void Deeply_nested_tags_are_refused()
    {
        var source = string.Concat(Enumerable.Repeat("{% if 1 %}", 100_000)) + string.Concat(Enumerable.Repeat("{% endif %}", 100_000));
        Assert.Equal("the template nests too deeply", Assert.Throws<TemplateException>(() => Template.Parse(source).Render([])).Problem);
    }

    /// <summary>Checked against Jinja2 3.1.6: the else part of a loop runs when no pass came to the end of the body.</summary>
    [Theory]
    [InlineData("{% for a in [1,2] %}{% break %}{% else %}E{% endfor %}", "E")]
    [InlineData("{% for a in [1,2] %}{% if a == 2 %}{% break %}{% endif %}{{ a }}{% else %}E{% endfor %}", "1")]
    [InlineData("{% for a in [1,2] if a > 1 %}{{ loop.index }}{{ loop.length }}{{ loop.last }}{% endfor %}", "11True")]
    [InlineData("{% for a in [1,[2,[3]]] recursive %}{% if a is iterable %}({{ loop(a) }}){% else %}{{ a }}{{ loop.depth }}{% endif %}{% endfor %}", "11(22(33))")]
    [InlineData("{% macro m(p, q=q) %}[{{ q }}]{% endmacro %}{% set q = 5 %}{{ m(1) }}", "[]")]
    [InlineData("{% set ns = namespace(on=true) %}{% for a in [1,2,3] if ns.on %}{{ a }}{% set ns.on = false %}{% endfor %}", "1")]
    [InlineData("{% set g = ['a']|map('upper') %}{{ g|list }}{{ g|list }}", "['A'][]")]
    [InlineData("{{ ['a', 1]|map('upper')|first }}", "A")]
    [InlineData("{{ [{'a': 1}, {}]|sort(attribute='b')|length }}", "2")]
    [InlineData("{{ 12345678901234567890 + 1 }} {{ 2 ** 70 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}", "12345678901234567891 1180591620717411303424 -4 2 3.0 0.5")]
    [InlineData("{{ 1e16 }} {{ 123456789012345.6 }} {{ 1e-5 }} {{ 0.0001 }} {{ 1e15 }} {{ 0.1 + 0.2 }} {{ -0.0 }}", "1e+16 123456789012345.6 1e-05 0.0001 1000000000000000.0 0.30000000000000004 -0.0")]
    [InlineData("{{ 'ß ﬁ ǆ Σας ΑΣ'.upper() }} {{ 'ΑΣ Σ İ'.lower() }} {{ 'ǆß ab'.title() }}", "SS FI Ǆ ΣΑΣ ΑΣ ας σ i̇ ǅß Ab")]
    [InlineData("{{ '%5.2f|%-5s|%05d|%x|%+d|%%' % (3.14159, 'ab', 42, 255, 7) }}", " 3.14|ab   |00042|ff|+7|%")]
    [InlineData("{{ '{:>6}|{:<4}|{:^5}|{:,}|{:.2f}|{:05d}|{!r}|{a[k]}'.format('x', 'y', 'z', 1234567, 2.5, 42, 'q', a={'k': 1}) }}", "     x|y   |  z  |1,234,567|2.50|00042|'q'|1")]
    [InlineData("{{ 'a\\x1cb\\u2028c\\r\\nd'.splitlines() }} {{ '\\x1f a '.strip() }}", "['a', 'b', 'c', 'd'] a")]
    [InlineData("{{ [1, 'a', none, 2.0, (1,), {'k': \"it's\"}] }}", "[1, 'a', None, 2.0, (1,), {'k': \"it's\"}]")]
    [InlineData("{{ '\\u200b\\xad🙂\\x00' | list }}", "['\\u200b', '\\xad', '🙂', '\\x00']")]
    [InlineData("{{ ('𐀀' < '\\uffff') }} {{ 'a' < 'B' }} {{ [1, 2] < [1, 3] }} {{ 1 == true }} {{ {1: 'x'}[1.0] }}", "False False True True x")]
    [InlineData("{{ {'a': 1}.items() }} {{ 'a' in {'a': 1}.keys() }} {{ range(3)[-1] }} {{ range(1, 9, 3)|list }}", "dict_items([('a', 1)]) True 2 [1, 4, 7]")]
    [InlineData("{% call(x) m %}{% endcall %}", null)]
    [InlineData("{{ strftime_now('%A %-d %B %Y, %I:%M %p, %j, %y, %e|%H|%%|%F|%T') }}", "Saturday 1 March 2025, 03:04 PM, 060, 25,  1|15|%|2025-03-01|15:04:05")]
    public void Python_and_Jinja_are_followed_to_the_letter(string source, string? expected)
    {
        if (expected is null) Assert.Throws<TemplateException>(() => Template.Parse(source));
        else Assert.Equal(expected, Template.Parse(source).Render([], new FixedClock(new DateTime(2025, 3, 1, 15, 4, 5))).Text);
    }

    [Fact]
    public void Numbers_of_JSON_keep_their_kind()
    {
        var variables = JsonNode.Parse("""{"a": [1, 1.0, -0, 1e2, 12345678901234567890, 0.1, true, null]}""")!.AsObject();
        Assert.Equal("[1, 1.0, 0, 100.0, 12345678901234567890, 0.1, true, null]", Template.Parse("{{ a|tojson }}").Render(variables).Text);
    }

    [Fact]
    public void Passes_over_marked_elements_are_noted()
    {
        var elements = Enumerable.Range(0, 3).Select(i => (object?)new PyDict { Mark = i }).ToList();
        var rendered = Template.Parse("{% for m in l %}{% endfor %}head {% for m in l[1:] %}<{% generation %}{{ loop.index }}{% endgeneration %}>{% endfor %}").RenderValues([new("l", elements)]);
        Assert.Equal("head <1><2>", rendered.Text);
        Assert.Equal([new RenderedSpan(5, 8, 1), new RenderedSpan(8, 11, 2)], rendered.Items);
        Assert.Equal([new RenderedSpan(6, 7, 1), new RenderedSpan(9, 10, 2)], rendered.Generated);
        Assert.False(rendered.Misplaced);
    }

    [Fact]
    public void A_template_is_rendered_by_many_threads_at_once()
    {
        var template = Template.Parse("{% set ns = namespace(n=0) %}{% macro m(x) %}{{ x }}{% endmacro %}{% for i in range(50) %}{% set ns.n = ns.n + i %}{{ m(i) }}{% endfor %}{{ ns.n }}{{ y }}");
        var digits = string.Concat(Enumerable.Range(0, 50));
        Parallel.For(0, 500, i => Assert.Equal($"{digits}1225{i}", template.Render(new JsonObject { ["y"] = i }).Text));
    }
}
