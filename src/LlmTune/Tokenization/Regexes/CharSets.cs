using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>Sets of characters that regular expressions name, as Oniguruma has them.</summary>
internal static class CharSets
{
    public static CharSet Digit => CharSet.OfCategories("Nd", UnicodeCategory.DecimalDigitNumber);

    public static CharSet Space => CharSet.OfName("White_Space", c => c < 65536 && char.IsWhiteSpace((char)c));

    /// <summary>Alphabetic, marks, decimal digits, connectors.</summary>
    public static CharSet Word => CharSet.OfName("Word", c => c is not (0x200C or 0x200D) && Rune.IsValid(c) && CharacterKinds.IsWord(new Rune(c)));

    public static CharSet HexDigit => CharSet.OfName("xdigit", c => c < 128 && char.IsAsciiHexDigit((char)c));

    /// <summary>A general category or a script.</summary>
    public static CharSet? Property(string name) => name.Replace(" ", "", StringComparison.Ordinal).ToLowerInvariant() switch
    {
        "l" or "letter" => CharSet.OfCategories(
            "L", UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter, UnicodeCategory.ModifierLetter,
            UnicodeCategory.OtherLetter),
        "lu" or "uppercase_letter" => CharSet.OfCategories("Lu", UnicodeCategory.UppercaseLetter),
        "ll" or "lowercase_letter" => CharSet.OfCategories("Ll", UnicodeCategory.LowercaseLetter),
        "lt" or "titlecase_letter" => CharSet.OfCategories("Lt", UnicodeCategory.TitlecaseLetter),
        "lm" or "modifier_letter" => CharSet.OfCategories("Lm", UnicodeCategory.ModifierLetter),
        "lo" or "other_letter" => CharSet.OfCategories("Lo", UnicodeCategory.OtherLetter),
        "m" or "mark" => CharSet.OfCategories("M", UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark),
        "mn" or "nonspacing_mark" => CharSet.OfCategories("Mn", UnicodeCategory.NonSpacingMark),
        "mc" or "spacing_mark" => CharSet.OfCategories("Mc", UnicodeCategory.SpacingCombiningMark),
        "me" or "enclosing_mark" => CharSet.OfCategories("Me", UnicodeCategory.EnclosingMark),
        "n" or "number" => CharSet.OfCategories("N", UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber, UnicodeCategory.OtherNumber),
        "nd" or "decimal_number" => Digit,
        "nl" or "letter_number" => CharSet.OfCategories("Nl", UnicodeCategory.LetterNumber),
        "no" or "other_number" => CharSet.OfCategories("No", UnicodeCategory.OtherNumber),
        "p" or "punctuation" => CharSet.OfCategories(
            "P", UnicodeCategory.ConnectorPunctuation, UnicodeCategory.DashPunctuation, UnicodeCategory.OpenPunctuation, UnicodeCategory.ClosePunctuation,
            UnicodeCategory.InitialQuotePunctuation, UnicodeCategory.FinalQuotePunctuation, UnicodeCategory.OtherPunctuation),
        "pc" or "connector_punctuation" => CharSet.OfCategories("Pc", UnicodeCategory.ConnectorPunctuation),
        "pd" or "dash_punctuation" => CharSet.OfCategories("Pd", UnicodeCategory.DashPunctuation),
        "ps" or "open_punctuation" => CharSet.OfCategories("Ps", UnicodeCategory.OpenPunctuation),
        "pe" or "close_punctuation" => CharSet.OfCategories("Pe", UnicodeCategory.ClosePunctuation),
        "pi" or "initial_punctuation" => CharSet.OfCategories("Pi", UnicodeCategory.InitialQuotePunctuation),
        "pf" or "final_punctuation" => CharSet.OfCategories("Pf", UnicodeCategory.FinalQuotePunctuation),
        "po" or "other_punctuation" => CharSet.OfCategories("Po", UnicodeCategory.OtherPunctuation),
        "s" or "symbol" => CharSet.OfCategories(
            "S", UnicodeCategory.MathSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.ModifierSymbol, UnicodeCategory.OtherSymbol),
        "sm" or "math_symbol" => CharSet.OfCategories("Sm", UnicodeCategory.MathSymbol),
        "sc" or "currency_symbol" => CharSet.OfCategories("Sc", UnicodeCategory.CurrencySymbol),
        "sk" or "modifier_symbol" => CharSet.OfCategories("Sk", UnicodeCategory.ModifierSymbol),
        "so" or "other_symbol" => CharSet.OfCategories("So", UnicodeCategory.OtherSymbol),
        "z" or "separator" => CharSet.OfCategories("Z", UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator),
        "zs" or "space_separator" => CharSet.OfCategories("Zs", UnicodeCategory.SpaceSeparator),
        "zl" or "line_separator" => CharSet.OfCategories("Zl", UnicodeCategory.LineSeparator),
        "zp" or "paragraph_separator" => CharSet.OfCategories("Zp", UnicodeCategory.ParagraphSeparator),
        "c" or "other" => CharSet.OfCategories(
            "C", UnicodeCategory.Control, UnicodeCategory.Format, UnicodeCategory.Surrogate, UnicodeCategory.PrivateUse, UnicodeCategory.OtherNotAssigned),
        "cc" or "control" => CharSet.OfCategories("Cc", UnicodeCategory.Control),
        "cf" or "format" => CharSet.OfCategories("Cf", UnicodeCategory.Format),
        "co" or "private_use" => CharSet.OfCategories("Co", UnicodeCategory.PrivateUse),
        "cn" or "unassigned" => CharSet.OfCategories("Cn", UnicodeCategory.OtherNotAssigned),
        "any" => CharSet.None.Negate(),
        "space" or "white_space" => Space,
        "digit" => Digit,
        "word" => Word,
        var script => UnicodeScripts.Find(script) is { } number ? CharSet.OfName($"script {script}", c => UnicodeScripts.Of(c) == number) : null,
    };

    /// <summary>Whether ignoring case would let a property match more.</summary>
    public static bool DependsOnCase(string name) =>
        name.ToLowerInvariant() is "lu" or "ll" or "lt" or "uppercase_letter" or "lowercase_letter" or "titlecase_letter";

    /// <summary>Those bracket classes whose members .NET's categories tell exactly.</summary>
    public static CharSet? Posix(string name) => name switch
    {
        "digit" => Digit,
        "space" => Space,
        "word" => Word,
        "xdigit" => HexDigit,
        "cntrl" => Property("Cc"),
        "ascii" => CharSet.Range(0, 127),
        _ => null,
    };

    /// <summary>A range and the other cases of its characters; ſ is an s, the Kelvin sign a k.</summary>
    public static CharSet IgnoringCase(int first, int last)
    {
        var set = CharSet.Range(first, last);
        for (var c = first; c <= Math.Min(last, 0x1FFFF); c++)
        {
            if (!Rune.IsValid(c)) continue;
            Add(Rune.ToLowerInvariant(new Rune(c)).Value, c);
            Add(Rune.ToUpperInvariant(new Rune(c)).Value, c);
            if (c is 's' or 'S') Add(0x17F, c);
            if (c is 'k' or 'K') Add(0x212A, c);
        }
        return set;

        void Add(int other, int c)
        {
            if (other != c && !set.Contains(other)) set = set.Union(CharSet.Range(other, other));
        }
    }
}
