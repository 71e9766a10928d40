using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>Sets of characters that regular expressions name, as Oniguruma has them.</summary>
internal static class CharSets
{
    public static CharSet Digit => CharSet.OfCategories("Nd", UnicodeCategory.DecimalDigitNumber);

    public static CharSet Space => CharSet.OfName("White_Space", c => c < 65536 && char.IsWhiteSpace((char)c));

    /// <summary>
    /// What <c>\w</c> and <c>\b</c> mean by a word: below U+0100 Oniguruma has a table of its own, in which ² ³ ¹ ¼ ½ ¾ belong to words.
    /// </summary>
    public static CharSet Word => CharSet.OfName("word", c => c is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE) || WordInBrackets.Contains(c));

    /// <summary>What <c>[\w]</c> and <c>[[:word:]]</c> mean: alphabetic, marks, decimal digits, connectors.</summary>
    public static CharSet WordInBrackets => CharSet.OfName("word in brackets", c => c is not (0x200C or 0x200D) && Rune.IsValid(c) && CharacterKinds.IsWord(new Rune(c)));

    public static CharSet HexDigit => CharSet.OfName("xdigit", c => c < 128 && char.IsAsciiHexDigit((char)c));

    /// <summary>A general category or a script.</summary>
    public static CharSet? Property(string name, bool inBrackets = true) => name.Replace(" ", "", StringComparison.Ordinal).ToLowerInvariant() switch
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
        "word" => inBrackets ? WordInBrackets : Word,
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
        "word" => WordInBrackets,
        "xdigit" => HexDigit,
        "cntrl" => Property("Cc"),
        "ascii" => CharSet.Range(0, 127),
        _ => null,
    };

    /// <summary>A range and the other cases of its characters: of s also ſ, of k the Kelvin sign, of σ also ς.</summary>
    public static CharSet IgnoringCase(int first, int last)
    {
        var set = CharSet.Range(first, last);
        for (var c = first; c <= Math.Min(last, LastWithCase); c++)
        {
            foreach (var other in OtherCases.Value.GetValueOrDefault(c, []))
                if (!set.Contains(other)) set = set.Union(CharSet.Range(other, other));
        }
        return set;
    }

    private const int LastWithCase = 0x1FFFF;

    /// <summary>Of every character that has them, all its cases. Those that no change of case leads to are equal by case folding.</summary>
    private static readonly Lazy<Dictionary<int, int[]>> OtherCases = new(() =>
    {
        var classes = new Dictionary<int, HashSet<int>>();
        for (var c = 0; c <= LastWithCase; c++)
        {
            if (!Rune.IsValid(c)) continue;
            Join(c, Rune.ToLowerInvariant(new Rune(c)).Value);
            Join(c, Rune.ToUpperInvariant(new Rune(c)).Value);
        }
        foreach (var (one, other) in new[] { (0x390, 0x1FD3), (0x3B0, 0x1FE3), (0xFB05, 0xFB06) }) Join(one, other);
        return classes.ToDictionary(pair => pair.Key, pair => pair.Value.ToArray());

        void Join(int one, int other)
        {
            if (one == other) return;
            HashSet<int> all = [.. classes.GetValueOrDefault(one, [one]), .. classes.GetValueOrDefault(other, [other])];
            foreach (var member in all) classes[member] = all;
        }
    });
}
