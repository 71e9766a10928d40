using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace LlmTune.Tests;

/// <summary>
/// Expected values made by other libraries. Below a root (golden/ beside the tests, and the folder named by LLMTUNE_GOLDEN) lie
/// areas, below them folders with a case.json: each is a case, found by listing. Data that cases name lies beside the root.
/// </summary>
public static class Golden
{
    public const string Variable = "LLMTUNE_GOLDEN";

    private static readonly ConcurrentDictionary<string, (int Run, int Skipped)> Counts = new();

    [ThreadStatic]
    private static bool _again;

    public static IEnumerable<string> Roots
    {
        get
        {
            yield return Path.Combine(AppContext.BaseDirectory, "golden");
            if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } root) yield return Path.GetFullPath(root);
        }
    }

    /// <summary>The device that golden tests run on: LLMTUNE_DEVICE, else the CPU.</summary>
    public static Device Device => torch.device(Environment.GetEnvironmentVariable("LLMTUNE_DEVICE") ?? "cpu");

    /// <summary>Every case of an area in every root, as rows of a theory: the folder.</summary>
    /// <exception cref="InvalidOperationException">A root has the area and no case in it, or no root has it.</exception>
    public static IEnumerable<TheoryDataRow<string>> Cases(string area)
    {
        var rows = new List<TheoryDataRow<string>>();
        foreach (var root in Roots)
        {
            var folder = Path.Combine(root, area);
            if (!Directory.Exists(folder)) continue;
            var found = Directory.EnumerateFiles(folder, "case.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
            if (found.Count == 0) throw new InvalidOperationException($"{folder} has no case.json below it");
            var origin = root.StartsWith(AppContext.BaseDirectory, StringComparison.Ordinal) ? "own" : "external";
            rows.AddRange(found.Select(file => new TheoryDataRow<string>(Path.GetDirectoryName(file)!)
            {
                TestDisplayName = $"{area}/{Path.GetRelativePath(folder, Path.GetDirectoryName(file)!)} ({origin})",
            }));
        }
        if (rows.Count == 0) throw new InvalidOperationException($"no root has golden cases of {area}");
        return rows;
    }

    public static JsonElement Read(string folder)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "case.json")));
        return document.RootElement.Clone();
    }

    /// <summary>Skips the case because the program refuses what it needs.</summary>
    /// <param name="refusal">What the program says.</param>
    [DoesNotReturn]
    public static void Skip(string area, string refusal)
    {
        if (!_again) Counts.AddOrUpdate(area, (0, 1), (_, c) => (c.Run, c.Skipped + 1));
        Assert.Skip($"not built yet: {refusal}");
    }

    /// <summary>Counts the case as compared.</summary>
    public static void Ran(string area)
    {
        if (!_again) Counts.AddOrUpdate(area, (1, 0), (_, c) => (c.Run + 1, c.Skipped));
    }

    /// <summary>Runs a case that has been counted already.</summary>
    public static void Again(Action @case)
    {
        _again = true;
        try
        {
            @case();
        }
        finally
        {
            _again = false;
        }
    }

    public static IReadOnlyDictionary<string, (int Run, int Skipped)> Summary => Counts;
}
