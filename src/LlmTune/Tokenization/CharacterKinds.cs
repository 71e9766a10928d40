using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>The kinds of characters that patterns of tokenizers tell apart; one table for the first 65,536.</summary>
internal static class CharacterKinds
{
    public const byte Other = 0;
    public const byte Letter = 1;
    public const byte Number = 2;

    /// <summary>White space but line ends.</summary>
    public const byte Space = 3;

    /// <summary>CR and LF; other line ends are <see cref="Space"/>.</summary>
    public const byte NewLine = 4;

    private static readonly byte[] Table = [.. Enumerable.Range(0, 0x10000).Select(c => Of((char)c))];

    /// <summary>The kind of one UTF-16 unit; half of a pair is <see cref="Other"/>.</summary>
    public static byte OfUnit(char c) => Table[c];

    /// <summary>The kind of the character that begins at an index, and how many units it has.</summary>
    public static byte At(string text, int index, out int length)
    {
        var c = text[index];
        if (!char.IsHighSurrogate(c) || index + 1 >= text.Length || !char.IsLowSurrogate(text[index + 1]))
        {
            length = 1;
            return Table[c];
        }
        length = 2;
        return Of(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(c, text[index + 1])));
    }

    /// <summary>ASCII punctuation and symbols, and Unicode's P.</summary>
    public static bool IsPunctuation(Rune rune) =>
        rune.IsAscii ? char.IsPunctuation((char)rune.Value) || char.IsSymbol((char)rune.Value) : Rune.IsPunctuation(rune);

    /// <summary>Unicode's N: also ½, Ⅷ, ②.</summary>
    public static bool IsNumeric(Rune rune) => Of(Rune.GetUnicodeCategory(rune)) == Number;

    /// <summary>What <c>\w</c> matches in Rust and Oniguruma: Alphabetic, marks, decimal digits, connectors, joiners.</summary>
    public static bool IsWord(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation
        || rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static byte Of(char c) => c is '\r' or '\n' ? NewLine : char.IsWhiteSpace(c) ? Space : Of(CharUnicodeInfo.GetUnicodeCategory(c));

    private static byte Of(UnicodeCategory category) => category switch
    {
        <= UnicodeCategory.OtherLetter => Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
        _ => Other,
    };
}
