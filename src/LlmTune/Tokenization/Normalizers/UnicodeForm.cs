using System.Text;

namespace LlmTune.Tokenization;

/// <summary>Unicode's normalization forms.</summary>
internal sealed class UnicodeForm : TextNormalizer
{
    private static readonly bool Works = "e\u0301".Normalize(NormalizationForm.FormC) == "\u00E9";
    private readonly NormalizationForm _form;

    /// <exception cref="RequestException">.NET runs without ICU here, where <c>Normalize</c> silently does nothing.</exception>
    public UnicodeForm(NormalizationForm form)
    {
        _form = form;
        if (!Works)
        {
            throw new RequestException(
                "Unicode normalization does nothing on this machine, so token ids would be wrong: install ICU (Debian: libicu72 or later) and unset DOTNET_SYSTEM_GLOBALIZATION_INVARIANT");
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

    /// <summary>U+FFFE stands for itself in every form, but .NET refuses text that holds it.</summary>
    public static string Normalize(string text, NormalizationForm form) =>
        text.Contains('\uFFFE') ? string.Join('\uFFFE', text.Split('\uFFFE').Select(part => part.Normalize(form))) : text.Normalize(form);
}
