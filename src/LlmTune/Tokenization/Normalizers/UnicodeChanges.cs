using System.Collections.Concurrent;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// A normalization form as changes of single characters, for the origins of what it makes. Decomposition gives each part of a
/// character after the first as new, marks are sorted by combining class, and composition adds up what it joins. .NET shows no
/// combining classes, so their order and the compositions are asked of <c>Normalize</c> itself.
/// </summary>
internal static class UnicodeChanges
{
    /// <summary>What was asked is kept, up to so many answers.</summary>
    private const int MostAnswers = 1 << 16;

    private static readonly ConcurrentDictionary<(Rune, Rune), bool> Swapped = new();
    private static readonly ConcurrentDictionary<(Rune, Rune), Rune?> Composed = new();
    private static readonly Comparer<Rune> ByClass = Comparer<Rune>.Create((x, y) => HigherClass(x, y) ? 1 : HigherClass(y, x) ? -1 : 0);

    /// <summary>Marks of the lowest and the highest combining class, 1 and 240.</summary>
    private static readonly Rune Lowest = new(0x334);
    private static readonly Rune Highest = new(0x345);

    public static List<Change> Of(string text, NormalizationForm form)
    {
        var decomposition = form is NormalizationForm.FormKC or NormalizationForm.FormKD ? NormalizationForm.FormKD : NormalizationForm.FormD;
        var changes = new List<Change>(text.Length);
        var marks = new List<Change>();
        foreach (var rune in text.EnumerateRunes())
        {
            var delta = 0;
            var parts = rune.IsAscii ? rune.ToString() : UnicodeForm.Normalize(rune.ToString(), decomposition);
            foreach (var part in parts.EnumerateRunes())
            {
                if (IsStarter(part))
                {
                    EndMarks();
                    changes.Add(new Change(part, delta));
                }
                else
                {
                    marks.Add(new Change(part, delta));
                }
                delta = 1;
            }
        }
        EndMarks();
        return form is NormalizationForm.FormC or NormalizationForm.FormKC ? Compose(changes) : changes;

        void EndMarks()
        {
            changes.AddRange(marks.Count > 1 ? marks.OrderBy(mark => mark.Rune, ByClass) : marks);
            marks.Clear();
        }
    }

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

    private static bool Blocked(List<Change> result, int starter, Rune rune) =>
        result.Count > starter + 1 && (IsStarter(rune) || !HigherClass(rune, result[^1].Rune));

    private static Rune? Composition(Rune first, Rune second) => second.IsAscii ? null : Answer(Composed, (first, second), static pair =>
    {
        var joined = UnicodeForm.Normalize($"{pair.Item1}{pair.Item2}", NormalizationForm.FormC);
        var rune = Utf16.RuneAt(joined, 0, out var length);
        return length == joined.Length ? rune : null;
    });

    /// <summary>A character of combining class 0: no mark of another class changes places with it.</summary>
    private static bool IsStarter(Rune rune) => rune.IsAscii || !(HigherClass(rune, Lowest) || HigherClass(Highest, rune));

    /// <summary>Whether both have combining classes, and the first a higher one: <c>Normalize</c> then puts it behind.</summary>
    private static bool HigherClass(Rune first, Rune second) =>
        first != second && !first.IsAscii && !second.IsAscii
        && Answer(Swapped, (first, second), static pair =>
            UnicodeForm.Normalize($"{pair.Item1}{pair.Item2}", NormalizationForm.FormD) == $"{pair.Item2}{pair.Item1}");

    private static T Answer<T>(ConcurrentDictionary<(Rune, Rune), T> answers, (Rune, Rune) pair, Func<(Rune, Rune), T> ask)
    {
        if (answers.TryGetValue(pair, out var known)) return known;
        var answer = ask(pair);
        if (answers.Count >= MostAnswers) answers.Clear();
        answers[pair] = answer;
        return answer;
    }
}
