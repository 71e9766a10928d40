using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>Unicode's normalization forms.</summary>
internal sealed class UnicodeForm : TextNormalizer
{
    private const int LongRun = 500;
    private static readonly bool Works = "e\u0301".Normalize(NormalizationForm.FormC) == "\u00E9";

    private readonly NormalizationForm _form;

    /// <exception cref="RequestException">.NET runs without ICU here, where <c>Normalize</c> silently does nothing.</exception>
    public UnicodeForm(NormalizationForm form)
    {
        _form = form;
        if (!Works)
        {
            throw new RequestException(
                "Unicode normalization does nothing on this machine, so token ids would be wrong: install ICU (Debian: libicu72 or later) and unset "
                + "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT");
        }
    }

    public override void Apply(AlignedText text)
    {
        if (Ascii.IsValid(text.Text)) return;
        var normalized = Normalize(text.Text, _form);
        if (ReferenceEquals(normalized, text.Text) || normalized == text.Text) return;
        if (text.Tracked) text.Transform(UnicodeChanges.Of(text.Text, _form));
        else text.Set(normalized);
    }

    /// <summary>
    /// U+FFFE stands for itself in every form, but .NET refuses text that holds it. A long run of marks, which ICU sorts in quadratic
    /// time, is taken apart and put together here.
    /// </summary>
    public static string Normalize(string text, NormalizationForm form)
    {
        if (text.Contains('\uFFFE')) return string.Join('\uFFFE', text.Split('\uFFFE').Select(part => Normalize(part, form)));
        if (!HasLongRunOfMarks(text)) return text.Normalize(form);
        var normalized = new StringBuilder(text.Length);
        foreach (var change in UnicodeChanges.Of(text, form)) normalized.Append(change.Rune.ToString());
        return normalized.ToString();
    }

    private static bool IsMark(string text, int index) =>
        char.IsLowSurrogate(text[index])
        || char.GetUnicodeCategory(text, index) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    private static bool HasLongRunOfMarks(string text)
    {
        if (text.Length <= LongRun) return false;
        for (var (i, run) = (0, 0); i < text.Length; i++)
        {
            run = text[i] >= 0x300 && IsMark(text, i) ? run + 1 : 0;
            if (run > LongRun) return true;
        }
        return false;
    }
}
