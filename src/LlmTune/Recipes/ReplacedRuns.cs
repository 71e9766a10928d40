using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmTune.Recipes;

/// <summary>
/// The runs that a run replaces. They wait beside its folder (<c>run.replaced</c>, <c>run.replaced-2</c> …), however many attempts end
/// before their time, and are deleted when one is whole.
/// </summary>
internal static class ReplacedRuns
{
    private const string Ending = ".replaced";

    /// <summary>Those that wait beside a run's folder. A run that somebody else has written to a folder of such a name is none.</summary>
    public static IReadOnlyList<string> Of(string run)
    {
        var (parent, name) = Split(run);
        return !Directory.Exists(parent) ? [] : [.. Directory.EnumerateDirectories(parent).Where(IsOne).Order(StringComparer.Ordinal)];

        bool IsOne(string folder)
        {
            var there = Path.GetFileName(folder);
            if (!there.StartsWith(name + Ending, StringComparison.Ordinal)) return false;
            var number = there[(name.Length + Ending.Length)..];
            return (number.Length == 0 || (number[0] == '-' && int.TryParse(number.AsSpan(1), out _))) && RunFolder.Is(folder) && NameWhenWritten(folder) == name;
        }
    }

    /// <summary>Where the next one will wait.</summary>
    public static string NextPlace(string run)
    {
        var (parent, name) = Split(run);
        var places = Enumerable.Range(1, int.MaxValue).Select(n => Path.Combine(parent, n == 1 ? name + Ending : $"{name}{Ending}-{n}"));
        return places.First(place => !Path.Exists(place));
    }

    /// <summary>For messages.</summary>
    public static string Say(IReadOnlyList<string> runs) => string.Join(", ", runs);

    private static (string Parent, string Name) Split(string run)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(run));
        return (Path.GetDirectoryName(full) ?? full, Path.GetFileName(full));
    }

    /// <summary>What the folder of a run was called when it was written; null where its record does not say.</summary>
    private static string? NameWhenWritten(string folder)
    {
        try
        {
            var record = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, RunFolder.RecordName)));
            var written = record?["config"]?["training"]?["output_dir"]?.GetValue<string>();
            return written is null ? null : Path.GetFileName(Path.TrimEndingDirectorySeparator(written.Replace('\\', '/')));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
