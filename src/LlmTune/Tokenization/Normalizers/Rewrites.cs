using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>Puts a text before every stretch that is not empty.</summary>
internal sealed class Prepend(string prefix) : TextNormalizer
{
    public override void Apply(AlignedText text) => text.Prepend(prefix);
}

/// <summary>Puts a text, taken literally, in the place of every match.</summary>
internal sealed class Replace(TextPattern pattern, string content) : TextNormalizer
{
    public override void Apply(AlignedText text)
    {
        if (!text.Tracked && pattern.Literal is { Length: > 0 } literal) text.Set(text.Text.Replace(literal, content, StringComparison.Ordinal));
        else text.Replace(pattern.Matches(text.Text), content);
    }
}

/// <summary>Drops white space at the ends.</summary>
internal sealed class Strip(bool left, bool right) : TextNormalizer
{
    public override void Apply(AlignedText text)
    {
        var kept = text.Text.AsSpan();
        var start = left ? kept.Length - kept.TrimStart().Length : 0;
        var end = right ? kept.TrimEnd().Length : kept.Length;
        var cuts = new List<TextSpan>(2);
        if (start > 0) cuts.Add(new TextSpan(0, start));
        if (end < kept.Length && end >= start) cuts.Add(new TextSpan(end, kept.Length));
        text.Replace(cuts, "");
    }
}

/// <summary>Small letters, character by character: no final sigma, İ gives i and a dot above.</summary>
internal sealed class Lowercase : TextNormalizer
{
    public override void Apply(AlignedText text)
    {
        if (text.Tracked) text.Map(Lower);
        else text.Set(text.Text.ToLowerInvariant().Replace("\u0130", "i\u0307", StringComparison.Ordinal));
    }

    public static string Lower(Rune rune) => rune.Value == 0x130 ? "i\u0307" : Rune.ToLowerInvariant(rune).ToString();
}

/// <summary>Drops the marks that are there; composed characters keep theirs.</summary>
internal sealed class StripAccents : TextNormalizer
{
    public override void Apply(AlignedText text) =>
        text.Filter(rune => Rune.GetUnicodeCategory(rune)
            is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark));
}

/// <summary>The cleaning of machine translation corpora: controls go, exotic spaces and marks of direction become a space.</summary>
internal sealed class Nmt : TextNormalizer
{
    public override void Apply(AlignedText text)
    {
        text.Filter(rune => rune.Value is not ((>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or 0x8F or 0x9F));
        text.Map(rune => rune.Value
            is 9 or 0xA or 0xC or 0xD or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD ? " " : rune.ToString());
    }
}

/// <summary>Each byte of the text's UTF-8 as a character of <see cref="ByteLevel"/>'s alphabet.</summary>
internal sealed class BytesToChars : TextNormalizer
{
    public override void Apply(AlignedText text) => text.Map(Map);

    private static string Map(Rune rune)
    {
        Span<byte> bytes = stackalloc byte[4];
        Span<char> chars = stackalloc char[4];
        var count = rune.EncodeToUtf8(bytes);
        for (var i = 0; i < count; i++) chars[i] = ByteLevel.ToChar(bytes[i]);
        return new string(chars[..count]);
    }
}

/// <summary>BERT's basic cleaning: controls go, white space becomes a space, ideographs stand alone, accents and capitals go.</summary>
/// <param name="stripAccents">Null follows <paramref name="lowercase"/>.</param>
internal sealed class BertNormalizer(bool cleanText, bool handleChineseChars, bool? stripAccents, bool lowercase) : TextNormalizer
{
    private static readonly UnicodeForm Decomposed = new(NormalizationForm.FormD);
    private static readonly Lowercase Small = new();

    public override void Apply(AlignedText text)
    {
        if (cleanText)
        {
            text.Filter(rune => rune.Value is not (0 or 0xFFFD) && !IsControl(rune));
            text.Map(rune => Rune.IsWhiteSpace(rune) ? " " : rune.ToString());
        }
        if (handleChineseChars) text.Map(rune => IsIdeograph(rune.Value) ? $" {rune} " : rune.ToString());
        if (stripAccents ?? lowercase)
        {
            Decomposed.Apply(text);
            text.Filter(rune => Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark);
        }
        if (lowercase) Small.Apply(text);
    }

    private static bool IsControl(Rune rune) =>
        rune.Value is not ('\t' or '\n' or '\r')
        && Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;

    /// <summary>The blocks that BERT calls Chinese; kana and Hangul are not among them.</summary>
    private static bool IsIdeograph(int c) =>
        c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
            or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}
