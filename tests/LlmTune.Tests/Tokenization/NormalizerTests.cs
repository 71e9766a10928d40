using System.Text;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

public sealed class NormalizerTests
{
    /// <summary>The changes that origins are kept by spell what .NET's own normalization gives.</summary>
    [Theory]
    [InlineData(NormalizationForm.FormC)]
    [InlineData(NormalizationForm.FormD)]
    [InlineData(NormalizationForm.FormKC)]
    [InlineData(NormalizationForm.FormKD)]
    public void Unicode_changes_spell_the_normalized_text(NormalizationForm form)
    {
        var random = new Random(1);
        for (var c = 0x80; c < 0x20000; c += c < 0x3000 ? 1 : 13)
        {
            if (Rune.IsValid(c)) Check($"{new Rune(c)}{new Rune(c)}");
        }
        for (var i = 0; i < 3000; i++)
        {
            var text = new StringBuilder();
            for (var k = random.Next(1, 8); k > 0; k--)
            {
                text.Append("aeﬁ½가각각\u0915\u0958"[random.Next(10)]);
                for (var marks = random.Next(4); marks > 0; marks--) text.Append("\u0301\u0300\u0323\u0327\u0345\u0334\u093C\u05B0\u3099\u0338"[random.Next(10)]);
            }
            Check(text.ToString());
        }

        void Check(string text) => Assert.Equal(text.Normalize(form), string.Concat(UnicodeChanges.Of(text, form).Select(change => change.Rune)));
    }

    /// <summary>A run that ICU would take minutes for: every dot below comes before every acute.</summary>
    [Fact]
    public void Long_runs_of_marks_are_sorted()
    {
        var text = AlignedText.Untracked("e" + string.Concat(Enumerable.Repeat("\u0301\u0323", 100_000)), 0);
        new UnicodeForm(NormalizationForm.FormD).Apply(text);
        Assert.Equal("e" + new string('\u0323', 100_000) + new string('\u0301', 100_000), text.Text);
    }

    /// <summary>e and an acute become one character that came from both; what stands behind keeps its place.</summary>
    [Fact]
    public void Composed_characters_come_from_all_their_parts()
    {
        var text = AlignedText.Of("xe\u0301y", 0, 4);
        new UnicodeForm(NormalizationForm.FormC).Apply(text);
        Assert.Equal("x\u00E9y", text.Text);
        Assert.Equal([new TextSpan(0, 1), new TextSpan(1, 2), new TextSpan(3, 4)], Enumerable.Range(0, 3).Select(i => text.Origin(i, i + 1)));
    }

    [Theory]
    [InlineData("İΣ", "i\u0307σ")]
    [InlineData("ΑΣ ẞ", "ασ ß")]
    public void Small_letters_go_character_by_character(string text, string expected)
    {
        var (tracked, plain) = (AlignedText.Of(text, 0, text.Length), AlignedText.Untracked(text, 0));
        new Lowercase().Apply(tracked);
        new Lowercase().Apply(plain);
        Assert.Equal((expected, expected), (tracked.Text, plain.Text));
    }

    [Theory]
    [InlineData("Latin", 'a', "latin")]
    [InlineData("Han", '中', "han")]
    [InlineData("Common", ',', "common")]
    [InlineData("Greek", 'λ', "greek")]
    public void Scripts_are_known(string name, char c, string number)
    {
        Assert.Equal(number, UnicodeScripts.Name(UnicodeScripts.Of(c)));
        Assert.Equal(UnicodeScripts.Of(c), UnicodeScripts.Find(name.ToLowerInvariant()));
    }

    [Fact]
    public void Bytes_and_their_characters_are_one_to_one()
    {
        Assert.Equal(256, ByteLevel.Alphabet.ToArray().Distinct().Count());
        for (var b = 0; b < 256; b++) Assert.Equal(b, ByteLevel.ToByte(ByteLevel.ToChar((byte)b)));
        Assert.Equal('Ġ', ByteLevel.ToChar((byte)' '));
        Assert.Equal(-1, ByteLevel.ToByte(' '));
    }
}
