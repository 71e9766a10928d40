using System.Text.RegularExpressions;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

public sealed class RegexProgramTests
{
    [Theory]
    [InlineData("a+", "baaac", "1-4")]
    [InlineData("a+?", "aaa", "0-1 1-2 2-3")]
    [InlineData("a{2}", "aaaaa", "0-2 2-4")]
    [InlineData("a{,2}b", "aaab b", "1-4 5-6")]
    [InlineData("a++a", "aaa", "")]
    [InlineData("(?>a|ab)c", "abc", "")]
    [InlineData("(?:ab)+", "xababab", "1-7")]
    [InlineData("(?:a|bc){2,3}", "abcabca", "0-4 4-7")]
    [InlineData("a(?=b)", "abac", "0-1")]
    [InlineData("a(?!b)", "abac", "2-3")]
    [InlineData("(?<=a)b|(?<!x)c", "abxcc", "1-2 4-5")]
    [InlineData("(?<=[a-z])(?=[A-Z])", "aBcD", "1-1 3-3")]
    [InlineData("x*", "axb", "0-0 1-2 3-3")]
    [InlineData("[a-c&&[^b]]+", "abca", "0-1 2-4")]
    [InlineData("[^a-c[x]]", "axd", "2-3")]
    [InlineData("[]a]", "]a", "0-1 1-2")]
    [InlineData("[a\\-z]+", "a-zb", "0-3")]
    [InlineData("(?i:'S|ll)", "'s'ſLL", "0-2 2-4 4-6")]
    [InlineData("a(?i)b|c", "aBaC", "0-2 2-4")]
    [InlineData("^a", "a\na\nb", "0-1 2-3")]
    [InlineData("a$", "a\na", "0-1 2-3")]
    [InlineData("\\Aa|a\\z", "aaa", "0-1 2-3")]
    [InlineData(".", "a\nb", "0-1 2-3")]
    [InlineData("(?m:.)", "a\n", "0-1 1-2")]
    [InlineData("\\p{Lu}\\p{^Lu}", "AbC1", "0-2 2-4")]
    [InlineData("\\p{Han}+", "a中文𠀀b", "1-5")]
    [InlineData("\\x41|\\u0042|\\x{43}", "ABC", "0-1 1-2 2-3")]
    [InlineData("\\bab\\b", "ab cab ab", "0-2 7-9")]
    [InlineData("\\R", "a\r\nb\n", "1-3 4-5")]
    [InlineData("(?x) a b # ends here", "ab", "0-2")]
    [InlineData("😀+", "😀😀x", "0-4")]
    [InlineData("[^a]", "😀a", "0-2")]
    [InlineData("\\w+", "mc² x₂½", "0-3 4-5 6-7")]
    [InlineData("\\p{Word}+", "mc² x₂½", "0-3 4-5 6-7")]
    [InlineData("\\W+", "mc² x₂½", "3-4 5-6")]
    [InlineData("[\\w]+", "mc² x₂½", "0-2 4-5")]
    [InlineData("[[:word:]]+", "x³ y", "0-1 3-4")]
    [InlineData("\\b", "c² ₂", "0-0 2-2")]
    [InlineData("\\w++(?<![^\\p{L}])", "H₂O CO₂ E=mc²", "0-1 2-3 4-6 8-9")]
    [InlineData("(?i)σ+", "ΑΣΣ σς", "1-3 4-6")]
    [InlineData("(?i:[ΰﬅ])", "\u1FE3ﬆ", "0-1 1-2")]
    [InlineData("(?i:ß)", "ss ẞ Sſ s", "0-2 3-4 5-7")]
    [InlineData("(?i:ss)", "ß sS s", "0-1 2-4")]
    [InlineData("(?i:sss)", "ßs sß", "0-2")]
    [InlineData("(?i:ffi)", "\uFB03 \uFB00i FFI", "0-1 5-8")]
    [InlineData("(?i:s+s)", "ß ss", "2-4")]
    [InlineData("(?<=(?i:ß))x", "ssx ßx", "5-6")]
    [InlineData("(?i:ß+)", "ssß", "0-3")]
    public void Matches_what_was_worked_out_by_hand(string pattern, string text, string expected)
    {
        var matches = new List<TextSpan>();
        RegexProgram.Parse(pattern).Matches(text, matches);
        Assert.Equal(expected, string.Join(' ', matches.Select(match => $"{match.Start}-{match.End}")));
    }

    [Theory]
    [InlineData("(a", "a ( has no ) (at 3)")]
    [InlineData("a)", "there is a ) without its ( (at 2)")]
    [InlineData("[a", "a [ has no ] (at 3)")]
    [InlineData("*a", "* has nothing to repeat (at 1)")]
    [InlineData("(a*)*", "a group that may be empty cannot be repeated without end (at 6)")]
    [InlineData("\\p{Foo}", "the property Foo is not known (at 4)")]
    [InlineData("\\X", "\\X is not supported (at 1)")]
    [InlineData("(a)\\1", "\\1 is not supported (at 4)")]
    [InlineData("[[:alpha:]]", "[:alpha:] is not supported (at 2)")]
    [InlineData("(?<=a*)b", "what lies behind must have a fixed length (at 8)")]
    [InlineData("[z-a]", "a range goes down (at 5)")]
    public void Refuses_what_it_cannot_read(string pattern, string message) => Assert.Equal(message, Assert.Throws<FormatException>(() => RegexProgram.Parse(pattern)).Message);

    /// <summary>.NET's own engine means the same by these as long as the text stays in the first 65,536 characters.</summary>
    [Theory]
    [InlineData(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}{1,3}?|\s+")]
    [InlineData(@"(?:\d\d)+|(?<=\d)[a-f]+?(?=x|$)|(?:ab|a)c?")]
    public void Agrees_with_dotnet(string pattern)
    {
        var (program, regex) = (RegexProgram.Parse(pattern), new Regex(pattern, RegexOptions.CultureInvariant));
        var random = new Random(1);
        for (var i = 0; i < 400; i++)
        {
            var text = new string([.. Tokenizers.RandomText(random, 40).Where(c => !char.IsSurrogate(c) && c != '\n')]);
            var matches = new List<TextSpan>();
            program.Matches(text, matches);
            Assert.Equal(regex.Matches(text).Where(match => match.Length > 0).Select(match => new TextSpan(match.Index, match.Index + match.Length)), matches.Where(match => match.Length > 0));
        }
    }

    /// <summary>The scanners were written by hand, the program is the pattern itself.</summary>
    [Theory]
    [InlineData(Scanners.Gpt2Pattern)]
    [InlineData(Scanners.Cl100kPattern)]
    [InlineData(Scanners.Qwen2Pattern)]
    public void Agrees_with_the_scanner(string pattern)
    {
        var scanner = Scanners.For(TextPattern.Regex(pattern))!;
        var program = RegexProgram.Parse(pattern);
        var random = new Random(2);
        for (var i = 0; i < 1000; i++)
        {
            var text = GoldenLines.Clean(Tokenizers.RandomText(random, 60));
            var matches = new List<TextSpan>();
            program.Matches(text, matches);
            var scanned = new List<TextSpan>();
            for (var at = 0; at < text.Length; at = scanned[^1].End) scanned.Add(new TextSpan(at, scanner(text, at, text.Length)));
            Assert.Equal(matches, scanned);
        }
    }
}
