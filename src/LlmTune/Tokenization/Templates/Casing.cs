using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>
/// Python's upper, lower, title and their relatives: Unicode's full mappings. .NET maps one character to one, and leaves alone the few letters
/// whose other case is ASCII.
/// </summary>
internal static class Casing
{
    /// <summary>Letters whose upper case is several characters, each followed by it (Unicode's SpecialCasing.txt).</summary>
    private static readonly FrozenDictionary<Rune, string> LongUpper = (""
        + "\u00dfSS \u0149\u02bcN \u01f0J\u030c \u0390\u0399\u0308\u0301 \u03b0\u03a5\u0308\u0301 \u0587\u0535\u0552 \u1e96H\u0331 "
        + "\u1e97T\u0308 \u1e98W\u030a \u1e99Y\u030a \u1e9aA\u02be \u1f50\u03a5\u0313 \u1f52\u03a5\u0313\u0300 \u1f54\u03a5\u0313\u0301 "
        + "\u1f56\u03a5\u0313\u0342 \u1f80\u1f08\u0399 \u1f81\u1f09\u0399 \u1f82\u1f0a\u0399 \u1f83\u1f0b\u0399 \u1f84\u1f0c\u0399 "
        + "\u1f85\u1f0d\u0399 \u1f86\u1f0e\u0399 \u1f87\u1f0f\u0399 \u1f88\u1f08\u0399 \u1f89\u1f09\u0399 \u1f8a\u1f0a\u0399 "
        + "\u1f8b\u1f0b\u0399 \u1f8c\u1f0c\u0399 \u1f8d\u1f0d\u0399 \u1f8e\u1f0e\u0399 \u1f8f\u1f0f\u0399 \u1f90\u1f28\u0399 "
        + "\u1f91\u1f29\u0399 \u1f92\u1f2a\u0399 \u1f93\u1f2b\u0399 \u1f94\u1f2c\u0399 \u1f95\u1f2d\u0399 \u1f96\u1f2e\u0399 "
        + "\u1f97\u1f2f\u0399 \u1f98\u1f28\u0399 \u1f99\u1f29\u0399 \u1f9a\u1f2a\u0399 \u1f9b\u1f2b\u0399 \u1f9c\u1f2c\u0399 "
        + "\u1f9d\u1f2d\u0399 \u1f9e\u1f2e\u0399 \u1f9f\u1f2f\u0399 \u1fa0\u1f68\u0399 \u1fa1\u1f69\u0399 \u1fa2\u1f6a\u0399 "
        + "\u1fa3\u1f6b\u0399 \u1fa4\u1f6c\u0399 \u1fa5\u1f6d\u0399 \u1fa6\u1f6e\u0399 \u1fa7\u1f6f\u0399 \u1fa8\u1f68\u0399 "
        + "\u1fa9\u1f69\u0399 \u1faa\u1f6a\u0399 \u1fab\u1f6b\u0399 \u1fac\u1f6c\u0399 \u1fad\u1f6d\u0399 \u1fae\u1f6e\u0399 "
        + "\u1faf\u1f6f\u0399 \u1fb2\u1fba\u0399 \u1fb3\u0391\u0399 \u1fb4\u0386\u0399 \u1fb6\u0391\u0342 \u1fb7\u0391\u0342\u0399 "
        + "\u1fbc\u0391\u0399 \u1fc2\u1fca\u0399 \u1fc3\u0397\u0399 \u1fc4\u0389\u0399 \u1fc6\u0397\u0342 \u1fc7\u0397\u0342\u0399 "
        + "\u1fcc\u0397\u0399 \u1fd2\u0399\u0308\u0300 \u1fd3\u0399\u0308\u0301 \u1fd6\u0399\u0342 \u1fd7\u0399\u0308\u0342 "
        + "\u1fe2\u03a5\u0308\u0300 \u1fe3\u03a5\u0308\u0301 \u1fe4\u03a1\u0313 \u1fe6\u03a5\u0342 \u1fe7\u03a5\u0308\u0342 "
        + "\u1ff2\u1ffa\u0399 \u1ff3\u03a9\u0399 \u1ff4\u038f\u0399 \u1ff6\u03a9\u0342 \u1ff7\u03a9\u0342\u0399 \u1ffc\u03a9\u0399 \ufb00FF "
        + "\ufb01FI \ufb02FL \ufb03FFI \ufb04FFL \ufb05ST \ufb06ST \ufb13\u0544\u0546 \ufb14\u0544\u0535 \ufb15\u0544\u053b "
        + "\ufb16\u054e\u0546 \ufb17\u0544\u053d "
        ).Split(' ', StringSplitOptions.RemoveEmptyEntries).ToFrozenDictionary(p => Rune.GetRuneAt(p, 0), p => p[1..]);

    public static string Upper(string text) => Map(text, static (c, _, _) => UpperOf(c));

    public static string Lower(string text) => Map(text, LowerOf);

    /// <summary>str.casefold, for all but some Greek and Cherokee letters.</summary>
    public static string Fold(string text) => Map(text, static (c, all, at) => c.Value switch
    {
        'ς' => "σ",
        'ſ' => "s",
        'ẞ' => "ss",
        _ => LongUpper.TryGetValue(c, out var upper) ? Lower(upper) : c.Value == 'Σ' ? "σ" : LowerOf(c, all, at),
    });

    public static string Capitalize(string text)
    {
        if (text.Length == 0) return text;
        if (!Rune.TryGetRuneAt(text, 0, out var first)) return text[0] + Map(text, LowerOf, 1);
        return TitleOf(first) + Map(text, LowerOf, first.Utf16SequenceLength);
    }

    /// <summary>str.title: a letter after one that has no case is capital, all others small.</summary>
    public static string Title(string text)
    {
        var inWord = false;
        return Map(text, (c, all, at) =>
        {
            var result = inWord ? LowerOf(c, all, at) : TitleOf(c);
            inWord = IsCased(c);
            return result;
        });
    }

    public static string Swap(string text) =>
        Map(text, static (c, all, at) => IsUpperCase(c) ? LowerOf(c, all, at) : Rune.IsLower(c) ? UpperOf(c) : c.ToString());

    public static bool IsLower(string text) =>
        text.EnumerateRunes().Any(IsLowerCase) && !text.EnumerateRunes().Any(c => IsUpperCase(c) || IsTitleCase(c));

    public static bool IsUpper(string text) =>
        text.EnumerateRunes().Any(IsUpperCase) && !text.EnumerateRunes().Any(c => IsLowerCase(c) || IsTitleCase(c));

    /// <summary>Whether the text has letters with case and is in title case.</summary>
    public static bool IsTitle(string text) => Title(text) == text && text.EnumerateRunes().Any(c => IsUpperCase(c) || IsTitleCase(c));

    /// <summary>Digits, and characters like ² that have the value of one.</summary>
    public static bool IsDigit(Rune c) => Rune.IsDigit(c)
        || c.Value is 0xB2 or 0xB3 or 0xB9 or 0x2070 or (>= 0x2074 and <= 0x2079) or (>= 0x2080 and <= 0x2089)
        or (>= 0x2460 and <= 0x2468) or (>= 0x2474 and <= 0x247C) or (>= 0x2488 and <= 0x2490);

    public static bool IsNumeric(Rune c) => Rune.IsNumber(c) || (c.IsBmp && "〇一二三四五六七八九十百千万億".Contains((char)c.Value));

    private static string Map(string text, Func<Rune, string, int, string> map, int start = 0)
    {
        var result = new StringBuilder(text.Length);
        for (var at = start; at < text.Length;)
        {
            if (!Rune.TryGetRuneAt(text, at, out var rune))
            {
                result.Append(text[at++]);
                continue;
            }
            result.Append(map(rune, text, at));
            at += rune.Utf16SequenceLength;
        }
        return result.ToString();
    }

    private static string UpperOf(Rune c) => c.Value switch
    {
        < 0x80 => ((char)c.Value is >= 'a' and <= 'z' and var letter ? (char)(letter - 32) : (char)c.Value).ToString(),
        'ı' => "I",
        'ſ' => "S",
        0x345 => "\u0399",
        _ => LongUpper.TryGetValue(c, out var upper) ? upper : Rune.ToUpperInvariant(c).ToString(),
    };

    /// <summary>Title case: for the digraphs the form between, for ligatures only the first letter; Georgian has none.</summary>
    private static string TitleOf(Rune c) => c.Value switch
    {
        >= 0x1C4 and <= 0x1CC => ((char)(0x1C5 + (c.Value - 0x1C4) / 3 * 3)).ToString(),
        >= 0x1F1 and <= 0x1F3 => "\u01F2",
        (>= 0x10D0 and <= 0x10FA) or (>= 0x10FD and <= 0x10FF) => c.ToString(),
        _ when LongUpper.TryGetValue(c, out var upper) =>
            Rune.ToUpperInvariant(c) != c || IsTitleCase(c) ? Rune.ToUpperInvariant(c).ToString() : upper[..1] + Lower(upper[1..]),
        _ => UpperOf(c),
    };

    /// <summary>Small letters; Σ is ς at the end of a word.</summary>
    private static string LowerOf(Rune c, string text, int at) => c.Value switch
    {
        < 0x80 => ((char)c.Value is >= 'A' and <= 'Z' and var letter ? (char)(letter + 32) : (char)c.Value).ToString(),
        'İ' => "i\u0307",
        0x212A => "k",
        0x212B => "å",
        'Σ' => IsFinal(text, at) ? "ς" : "σ",
        'ẞ' => "ß",
        0x2126 => "ω",
        _ => Rune.ToLowerInvariant(c).ToString(),
    };

    /// <summary>Whether a letter with case stands before, and none after; marks and apostrophes between do not count.</summary>
    private static bool IsFinal(string text, int at)
    {
        var before = at - 1;
        while (before >= 0 && IsIgnored(text[before])) before--;
        if (before < 0 || !IsCased(new Rune(char.IsSurrogate(text[before]) ? ' ' : text[before]))) return false;
        var after = at + 1;
        while (after < text.Length && IsIgnored(text[after])) after++;
        return after >= text.Length || !Rune.TryGetRuneAt(text, after, out var next) || !IsCased(next);
    }

    private static bool IsIgnored(char c) => c is '\'' or '.' or ':' or '^' or '`' or '\u00a8' or '\u00ad' or '\u00b7' or '\u2019'
        || char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
            or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    private static bool IsCased(Rune c) => IsLowerCase(c) || IsUpperCase(c) || IsTitleCase(c);

    private static bool IsLowerCase(Rune c) => Rune.IsLower(c) || c.Value is 'ª' or 'º' or (>= 0x24D0 and <= 0x24E9) or (>= 0x2170 and <= 0x217F);

    private static bool IsUpperCase(Rune c) => Rune.IsUpper(c) || c.Value is (>= 0x2160 and <= 0x216F) or (>= 0x24B6 and <= 0x24CF);

    private static bool IsTitleCase(Rune c) => Rune.GetUnicodeCategory(c) == UnicodeCategory.TitlecaseLetter;
}
