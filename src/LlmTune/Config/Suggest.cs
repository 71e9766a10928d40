namespace LlmTune.Config;

/// <summary>Did you mean.</summary>
public static class Suggest
{
    /// <summary>So many letters of a word are enough to know it by.</summary>
    private const int Beginning = 4;

    /// <summary>
    /// The candidate that is a few slips of the keyboard away from a word (a third of the longer one's letters at most), or else one that it is
    /// the beginning of (format, formatting); null where there is none.
    /// </summary>
    public static string? Nearest(string word, IEnumerable<string> candidates) => candidates
        .Select(candidate => (Name: candidate, Distance: Distance(word.ToLowerInvariant(), candidate.ToLowerInvariant())))
        .Where(c => c.Distance <= Math.Max(1, Math.Max(word.Length, c.Name.Length) / 3) && c.Distance < Math.Max(word.Length, c.Name.Length))
        .OrderBy(c => c.Distance)
        .Select(c => c.Name)
        .FirstOrDefault()
        ?? candidates.FirstOrDefault(candidate => word.Length >= Beginning && candidate.StartsWith(word, StringComparison.OrdinalIgnoreCase) && candidate.Length > word.Length);

    /// <summary><c>, did you mean 'r'?</c>, or nothing.</summary>
    public static string Hint(string? name) => name is null ? "" : $", did you mean '{name}'?";

    /// <summary><c>; write [a]</c>, or nothing.</summary>
    public static string Write(string? form) => form is null ? "" : $"; write {form}";

    /// <summary><c>a, b or c</c></summary>
    public static string Either(IReadOnlyList<string> names) =>
        names.Count < 2 ? string.Concat(names) : $"{string.Join(", ", names.SkipLast(1))} or {names[^1]}";

    /// <summary>Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (optimal string alignment).</summary>
    public static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (var j = 0; j <= b.Length; j++) d[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                d[i, j] = Math.Min(Math.Min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }
        return d[a.Length, b.Length];
    }
}
