using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// A normalization form as changes of single characters, for the origins of what it makes. Decomposition gives each part of a
/// character after the first as new, marks are sorted by combining class, and composition adds up what it joins. .NET shows no
/// combining classes, so their order and the compositions are asked of <c>Normalize</c> itself.
/// </summary>
internal static class UnicodeChanges
{
    public static List<Change> Of(string text, NormalizationForm form)
    {
        var decomposition = form is NormalizationForm.FormKC or NormalizationForm.FormKD ? NormalizationForm.FormKD : NormalizationForm.FormD;
        var changes = new List<Change>(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var first = true;
            foreach (var part in UnicodeForm.Normalize(rune.ToString(), decomposition).EnumerateRunes())
            {
                Insert(changes, new Change(part, first ? 0 : 1));
                first = false;
            }
        }
        return form is NormalizationForm.FormC or NormalizationForm.FormKC ? Compose(changes) : changes;
    }

    /// <summary>Behind every mark that does not belong after it.</summary>
    private static void Insert(List<Change> changes, Change change)
    {
        var at = changes.Count;
        if (!change.Rune.IsAscii)
        {
            while (at > 0 && BelongsAfter(changes[at - 1].Rune, change.Rune)) at--;
        }
        changes.Insert(at, change);
    }

    private static bool BelongsAfter(Rune first, Rune second) =>
        !first.IsAscii && first != second && Normalized($"{first}{second}", NormalizationForm.FormD) == $"{second}{first}";

    /// <summary>
    /// Joins each character to the last starter where they have a composition and nothing of the same or a higher class stands
    /// between them (Unicode Standard, D117).
    /// </summary>
    private static List<Change> Compose(List<Change> parts)
    {
        var result = new List<Change>(parts.Count);
        var starter = -1;
        foreach (var part in parts)
        {
            if (starter >= 0 && !Blocked(result, starter, part.Rune) && Composition(result[starter].Rune, part.Rune) is { } composed)
            {
                result[starter] = new Change(composed, result[starter].Delta + part.Delta - 1);
                continue;
            }
            if (IsStarter(part.Rune)) starter = result.Count;
            result.Add(part);
        }
        return result;
    }

    private static bool Blocked(List<Change> result, int starter, Rune rune)
    {
        if (result.Count == starter + 1) return false;
        var last = result[^1].Rune;
        return IsStarter(rune) || !HigherClass(rune, last);
    }

    private static Rune? Composition(Rune first, Rune second)
    {
        if (second.IsAscii) return null;
        var joined = Normalized($"{first}{second}", NormalizationForm.FormC);
        var rune = Utf16.RuneAt(joined, 0, out var length);
        return length == joined.Length ? rune : null;
    }

    /// <summary>Whether a character has combining class 0: a mark of class 1 (U+0334) then stays behind it instead of moving before it.</summary>
    private static bool IsStarter(Rune rune) => rune.IsAscii || !(HigherClass(rune, new Rune(0x334)) || HigherClass(new Rune(0x345), rune));

    /// <summary>Whether <paramref name="first"/> has a higher combining class than <paramref name="second"/>, both not 0.</summary>
    private static bool HigherClass(Rune first, Rune second) => BelongsAfter(first, second);

    private static string Normalized(string text, NormalizationForm form) => UnicodeForm.Normalize(text, form);
}
