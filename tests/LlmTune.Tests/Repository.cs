namespace LlmTune.Tests;

/// <summary>The source tree, for tests that look at it; they are skipped where the tests run without one.</summary>
internal static class Repository
{
    private static readonly string[] NotSource = ["out", "bin", "obj", "runs", ".git", "TestResults"];

    public static string Root
    {
        get
        {
            for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            {
                if (File.Exists(Path.Combine(folder, "LlmTune.sln"))) return folder;
            }
            Assert.Skip("the tests do not lie in the source tree");
            return "";
        }
    }

    /// <summary>Files below a folder, by paths from the root with forward slashes; nothing that is built.</summary>
    public static IEnumerable<string> Files(string below = "", params string[] extensions)
    {
        var root = Root;
        return Walk(Path.Combine(root, below))
            .Where(file => extensions.Length == 0 || extensions.Contains(Path.GetExtension(file)))
            .Select(file => Path.GetRelativePath(root, file).Replace('\\', '/'))
            .Order(StringComparer.Ordinal);
    }

    public static string[] Lines(string file) => File.ReadAllLines(Path.Combine(Root, file));

    private static IEnumerable<string> Walk(string folder) => Directory.EnumerateFiles(folder)
        .Concat(Directory.EnumerateDirectories(folder).Where(sub => !NotSource.Contains(Path.GetFileName(sub))).SelectMany(Walk));
}
