using System.Text;

namespace LlmTune.Tokenization;

/// <summary>What strings of UTF-16 units need before and between the steps that count in characters.</summary>
internal static class Utf16
{
    /// <summary>The text with U+FFFD in the place of each surrogate without its partner, as every UTF-8 library sees it.</summary>
    public static string WithoutLoneSurrogates(string text)
    {
        var first = FirstLoneSurrogate(text, 0);
        if (first < 0) return text;
        return string.Create(text.Length, (text, first), static (target, state) =>
        {
            state.text.CopyTo(target);
            for (var i = state.first; i >= 0; i = FirstLoneSurrogate(state.text, i + 1)) target[i] = '\uFFFD';
        });
    }

    /// <summary>The character that begins at a unit, and how many units it has.</summary>
    public static Rune RuneAt(ReadOnlySpan<char> text, int index, out int length)
    {
        var c = text[index];
        if (!char.IsSurrogate(c))
        {
            length = 1;
            return new Rune(c);
        }
        Rune.DecodeFromUtf16(text[index..], out var rune, out length);
        return rune;
    }

    private static int FirstLoneSurrogate(string text, int from)
    {
        while (from < text.Length)
        {
            var at = text.AsSpan(from).IndexOfAnyInRange('\uD800', '\uDFFF');
            if (at < 0) return -1;
            at += from;
            if (!char.IsHighSurrogate(text[at]) || at + 1 == text.Length || !char.IsLowSurrogate(text[at + 1])) return at;
            from = at + 2;
        }
        return -1;
    }
}
