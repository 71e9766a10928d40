namespace LlmTune.Tokenization;

/// <summary>The end of the piece that begins at <paramref name="start"/>, in a text that ends at <paramref name="end"/>.</summary>
internal delegate int Scanner(string text, int start, int end);

/// <summary>
/// The patterns of GPT-2, cl100k (Llama 3) and Qwen2 written out by hand: several times faster than a regular expression, and exact
/// for characters outside the first 65,536.
/// </summary>
internal static class Scanners
{
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    public const string Cl100kPattern = ClHead + @"\p{N}{1,3}" + ClTail;
    public const string Qwen2Pattern = ClHead + @"\p{N}" + ClTail;

    private const string ClHead = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|";
    private const string ClTail = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <returns>Null where the pattern is none of those.</returns>
    public static Scanner? For(TextPattern pattern) => pattern.Literal is not null ? null : pattern.Source switch
    {
        Gpt2Pattern => Gpt2,
        Cl100kPattern => Cl100k,
        Qwen2Pattern => Qwen2,
        _ => null,
    };

    public static int Cl100k(string text, int start, int end) => Cl(text, start, end, 3);

    public static int Qwen2(string text, int start, int end) => Cl(text, start, end, 1);

    public static int Gpt2(string text, int start, int end)
    {
        var c = text[start];
        if (c == '\'' && Contraction(text, start, end, ignoreCase: false) is > 0 and var length) return start + length;
        var body = c == ' ' && start + 1 < end && CharacterKinds.At(text, start + 1, out _) < CharacterKinds.Space ? start + 1 : start;
        var kind = CharacterKinds.At(text, body, out _);
        return kind < CharacterKinds.Space ? Run(text, body, end, kind) : WhiteSpace(text, start, end, lineEndsApart: false);
    }

    private static int Cl(string text, int start, int end, int digits)
    {
        var c = text[start];
        if (c == '\'' && Contraction(text, start, end, ignoreCase: true) is > 0 and var length) return start + length;
        var kind = CharacterKinds.At(text, start, out var width);
        if (kind == CharacterKinds.Letter) return Run(text, start, end, CharacterKinds.Letter);
        if (kind == CharacterKinds.Number) return Run(text, start, end, CharacterKinds.Number, digits);
        if (kind != CharacterKinds.NewLine && start + width < end && CharacterKinds.At(text, start + width, out _) == CharacterKinds.Letter)
        {
            return Run(text, start + width, end, CharacterKinds.Letter);
        }
        var body = c == ' ' && start + 1 < end ? start + 1 : start;
        if (CharacterKinds.At(text, body, out _) != CharacterKinds.Other) return WhiteSpace(text, start, end, lineEndsApart: true);
        var symbols = Run(text, body, end, CharacterKinds.Other);
        while (symbols < end && text[symbols] is '\r' or '\n') symbols++;
        return symbols;
    }

    private static int Run(string text, int start, int end, byte kind, int most = int.MaxValue)
    {
        for (; most > 0 && start < end && CharacterKinds.At(text, start, out var length) == kind; most--) start += length;
        return start;
    }

    /// <summary>
    /// White space up to its last line end where those count; else all of it but the last character, which goes with the word
    /// behind it.
    /// </summary>
    private static int WhiteSpace(string text, int start, int end, bool lineEndsApart)
    {
        var (at, lineEnd) = (start, -1);
        for (; at < end && CharacterKinds.OfUnit(text[at]) >= CharacterKinds.Space; at++)
        {
            if (CharacterKinds.OfUnit(text[at]) == CharacterKinds.NewLine) lineEnd = at + 1;
        }
        if (lineEndsApart && lineEnd > 0) return lineEnd;
        return at < end && at - start > 1 ? at - 1 : at;
    }

    /// <summary>How long an English contraction is that begins with the apostrophe at <paramref name="start"/>; 0 where none does.</summary>
    private static int Contraction(string text, int start, int end, bool ignoreCase)
    {
        if (start + 1 >= end) return 0;
        var first = Fold(text[start + 1], ignoreCase);
        if (first is 's' or 't' or 'm' or 'd') return 2;
        if (start + 2 >= end) return 0;
        return (first, Fold(text[start + 2], ignoreCase)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    /// <summary>ſ (U+017F) is an s to everything that ignores case.</summary>
    private static char Fold(char c, bool ignoreCase) => !ignoreCase ? c : c == '\u017F' ? 's' : char.ToLowerInvariant(c);
}
