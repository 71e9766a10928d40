using LlmTune.Adapters;

namespace LlmTune.Tests.Adapters;

/// <summary>
/// Python's regular expressions. What matches was computed by re of Python 3.11 (fullmatch); what is refused is refused there.
/// </summary>
public class PythonRegexTests
{
    private static readonly string[] Names =
    [
        "model.embed_tokens", "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.k_proj", "model.layers.11.self_attn.v_proj", "model.layers.2.mlp.up_proj",
        "model.layers.21.mlp.down_proj", "model.layers.3.mlp.gate_proj", "model.norm", "lm_head", "aab", "aaab", "xyyx", "-[a", "a]", "a_b",
    ];

    [Theory]
    [InlineData(@".*\.(?P<part>q|v)_proj", "1 3")]
    [InlineData(@"model\.layers\.(?P<n>\d+)\.mlp\..*\Z", "4 5 6")]
    [InlineData(@"(?P<n>x)(y)\2(?P=n)", "11")]
    [InlineData(@"(?P<n>x)(y)\2\1", "11")]
    [InlineData(@"(?i).*SELF_ATTN\.Q_PROJ", "1")]
    [InlineData(@"(?i:MODEL).norm", "7")]
    [InlineData(@"(?a)\w+", "8 9 10 11 14")]
    [InlineData(@"(?u)(?s).*norm", "7")]
    [InlineData(@"a{,3}b", "9 10")]
    [InlineData(@"a{3}b", "10")]
    [InlineData(@"a*+b", "9 10")]
    [InlineData(@"a++ab", "")]
    [InlineData(@"(?>a+)b", "9 10")]
    [InlineData(@"(?:a|aa)b|aab", "9")]
    [InlineData(@"a|aa|aab", "9")]
    [InlineData(@"[-[]+a", "12")]
    [InlineData(@"[]a]+", "13")]
    [InlineData(@"[^]a-z_.\d]\[a", "12")]
    [InlineData(@"a\_b", "14")]
    [InlineData(@"a[\_]b", "14")]
    [InlineData(@"\x61\u0061\142", "9")]
    [InlineData(@"(?x) a a  b  # all of it ( but this", "9")]
    [InlineData(@"(?x: a a ) b", "")]
    [InlineData(@"(?x: a a )b", "9")]
    [InlineData(@"(?#nothing)aab", "9")]
    [InlineData(@"(a)?(?(1)ab|b)", "9")]
    [InlineData(@"(?P<o>a)?(?(o)ab|b)", "9")]
    [InlineData(@"(?!model).*_.*", "8 14")]
    [InlineData(@".*(?<!down)_proj", "1 2 3 4 6")]
    [InlineData(@"model\.layers\.(0|11|2)\..*", "1 3 4")]
    [InlineData(@"^model\.norm$", "7")]
    [InlineData(@"\Amodel.norm", "7")]
    [InlineData(@"model\.layers\.[0-9]{2}\..*", "3 5")]
    [InlineData(@"{}", "")]
    [InlineData(@"norm", "")]
    public void It_matches_what_it_matches_in_Python(string pattern, string matched)
    {
        var expression = PythonRegex.Parse(pattern);
        Assert.Equal(matched, string.Join(' ', Enumerable.Range(0, Names.Length).Where(i => expression.MatchesAll(Names[i]))));
    }

    [Theory]
    [InlineData(@"a(?i)b", "global flags not at the start of the expression")]
    [InlineData(@"(?<name>a)", "(?P<name>…)")]
    [InlineData(@"a\z", @"bad escape \z")]
    [InlineData(@"\p{L}", @"bad escape \p")]
    [InlineData(@"(?P<a>x)(?P<a>y)", "redefinition of group name 'a'")]
    [InlineData(@"(?P=b)", "unknown group name 'b'")]
    [InlineData(@"(?P>b)", "unknown extension ?P>")]
    [InlineData(@"(a)\2", "invalid group reference 2")]
    [InlineData(@"*a", "nothing to repeat")]
    [InlineData(@"a**", "multiple repeat")]
    [InlineData(@"a)", "unbalanced parenthesis")]
    [InlineData(@"[a", "unterminated character set")]
    [InlineData(@"(?L)a", "the flag L is for bytes")]
    [InlineData(@"a\", "bad escape (end of pattern)")]
    [InlineData(@"(a", "")]
    [InlineData(@"a{2,1}", "")]
    public void What_Python_refuses_is_refused(string pattern, string reason) =>
        Assert.Contains(reason, Assert.Throws<FormatException>(() => PythonRegex.Parse(pattern)).Message, StringComparison.Ordinal);

    [Fact]
    public void Layers_ranks_and_exclusions_are_read_as_PEFT_reads_them()
    {
        using var model = TinyModels.Make("qwen2");
        LoraPlan plan = new()
        {
            Rank = 4,
            Alpha = 8,
            Targets = ModuleSelector.Names("q_proj", "k_proj", "up_proj"),
            Layers = [0, 2],
            LayersPattern = ["(?P<kind>blocks|layers)"],
            Excluded = ModuleSelector.Parse(@".*\.(?P<l>2)\.mlp.*\Z"),
            RankPattern = [(@"(?i)K_PROJ", 2), (@"(?P<a>q)_proj", 3)],
            AlphaPattern = [(@"layers\.2\..*", 6)],
        };
        Assert.Equal(
            ["0.self_attn.q_proj r3 α8", "0.self_attn.k_proj r2 α8", "0.mlp.up_proj r4 α8", "2.self_attn.q_proj r3 α6", "2.self_attn.k_proj r2 α6"],
            plan.Select(model.Parts).Select(t => $"{t.Part.Name["model.layers.".Length..]} r{t.Rank} α{t.Alpha}"));
    }
}
