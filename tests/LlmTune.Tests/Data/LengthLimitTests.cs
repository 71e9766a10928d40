using CsCheck;
using LlmTune.Data;

namespace LlmTune.Tests.Data;

public class LengthLimitTests
{
    /// <summary>Small letters are prompt, capitals are trained on.</summary>
    private static Tokens Of(string text) => new(Codecs.Ids(text), [.. text.Select(char.IsUpper)]);

    private static string Cut(string text, int limit, char? bos = null)
    {
        var cut = LengthLimit.Cut(Of(text), limit, bos);
        Assert.True(cut.Ids.Length <= limit, $"{cut.Ids.Length} tokens");
        var shown = Codecs.Show(cut.Ids);
        Assert.Equal(shown.Select(char.IsUpper), cut.Trained);
        return shown;
    }

    [Fact]
    public void What_fits_stays() => Assert.Equal("abCDefGH", Cut("abCDefGH", 8));

    [Theory]
    [InlineData("abCDefGHij", 9, "abCDefGH")]
    [InlineData("abCDefGHIJ", 9, "abCD")]
    [InlineData("abCDefgh", 5, "abCD")]
    public void The_example_ends_with_the_last_answer_that_fits(string text, int limit, string cut) => Assert.Equal(cut, Cut(text, limit));

    /// <summary>Ten of prompt and two of answer in eight: the answer is kept whole, the prompt's last six before it.</summary>
    [Fact]
    public void A_long_prompt_loses_its_beginning()
    {
        Assert.Equal("efghijYZ", Cut("abcdefghijYZ", 8));
        Assert.Equal("afghijYZ", Cut("abcdefghijYZ", 8, bos: 'a'));
    }

    /// <summary>Two of prompt (less than half of eight) leave six: the answer's first five and its end.</summary>
    [Fact]
    public void A_long_answer_keeps_its_beginning_and_its_end() => Assert.Equal("abQRSTUZ", Cut("abQRSTUVWXYZ", 8));

    /// <summary>The end of a turn may be several tokens: the token that ends it, and a line break behind.</summary>
    [Fact]
    public void All_of_what_ends_an_answer_is_kept() =>
        Assert.Equal("abQRSTYZ", Codecs.Show(LengthLimit.Cut(Of("abQRSTUVWXYZ") with { Ending = 2 }, 8, null).Ids));

    /// <summary>Six and six in six: both keep half, 6·6/12 = 3.</summary>
    [Fact]
    public void Both_long_share_the_room() => Assert.Equal("defUVZ", Cut("abcdefUVWXYZ", 6));

    [Fact]
    public void Running_text_is_cut_at_its_end()
    {
        var text = new Tokens(Codecs.Ids("abcdef"), [true, true, true, true, true, true], IsText: true);
        Assert.Equal("abcd", Codecs.Show(LengthLimit.Cut(text, 4, null).Ids));
    }

    [Fact]
    public void However_it_is_cut_something_to_train_on_and_the_end_of_an_answer_are_left()
    {
        Check.Sample(
            Gen.Select(Gen.Int[1, 12], Gen.Int[1, 12], Gen.Int[0, 5], Gen.Int[2, 20]),
            (prompt, answer, after, limit) =>
            {
                var text = new string('p', prompt) + new string('A', answer - 1) + "Z" + new string('q', after);
                var cut = Cut(text, limit);
                return cut.Contains('Z', StringComparison.Ordinal) && cut.Length <= Math.Min(limit, text.Length);
            },
            seed: "0000000000001");
    }

    /// <summary>Judged answers, capitals, behind their prompt; a digit begins each.</summary>
    private static Tokens Judged(string prompt, params string[] answers) => new(
        Codecs.Ids(prompt + string.Concat(answers)), [.. (prompt + string.Concat(answers)).Select(c => !char.IsLower(c))])
    { Answers = [.. answers.Select(a => a.Length)] };

    [Theory]
    [InlineData("abcd", "1UZ", "2VWZ", 8, "abcd|1UZ|2VWZ")]
    [InlineData("abcdefghij", "1Z", "2UVZ", 8, "efghij|1Z|2Z")]                 // of 8 the longest answer gets 8·4/14 = 2, the prompt 6
    [InlineData("ab", "1UZ", "2QRSTUVWXYZ", 8, "ab|1UZ|2QRSTZ")]
    [InlineData("abcdef", "1QRSTZ", "2QRSTUVZ", 6, "def|1QZ|2QZ")]                // 6·8/14 = 3
    public void Judged_answers_lose_the_same_of_their_prompt(string prompt, string one, string two, int limit, string cut) =>
        Assert.Equal(cut, Codecs.Show(LengthLimit.Cut(Judged(prompt, one, two), limit, null)));

    [Fact]
    public void Cutting_never_changes_the_prompt_of_one_side_alone()
    {
        Check.Sample(
            Gen.Select(Gen.Int[0, 14], Gen.Int[1, 14].Array[1, 4], Gen.Int[2, 20], Gen.Int[1, 3], Gen.Bool),
            (prompt, lengths, limit, ending, bos) =>
            {
                static string Letters(char first, int count) => string.Concat(Enumerable.Range(0, count).Select(i => (char)(first + i)));
                var text = Letters('a', prompt);
                var tokens = Judged(text, [.. lengths.Select(length => Letters('A', length))]) with { Ending = ending };
                var cut = LengthLimit.Cut(tokens, limit, bos ? 'a' : null);
                var parts = Codecs.Show(cut).Split('|');
                Assert.InRange(cut.Longest, 1, limit);
                Assert.Equal(lengths.Length, parts.Length - 1);
                if (tokens.Longest <= limit) Assert.Same(tokens, cut);
                Assert.Equal(cut.Prompt, parts[0].Length);
                if (parts[0].Length > 0) Assert.Equal(bos && prompt > 0 ? "a" + text[^parts[0].Length..][1..] : text[^parts[0].Length..], parts[0]);
                foreach (var (part, length) in parts.Skip(1).Zip(lengths))
                {
                    var whole = Letters('A', length);
                    Assert.Equal(Math.Min(length, limit - cut.Prompt), part.Length);
                    var tail = part.Length < length ? Math.Min(ending, part.Length) : 0;
                    Assert.Equal(whole[..(part.Length - tail)] + whole[(length - tail)..], part);
                }
                Assert.Equal(Enumerable.Range(0, cut.Ids.Length).Select(t => t >= cut.Prompt), cut.Trained);
            },
            iter: 2000);
    }
}
