namespace LlmTune.Tests;

/// <summary>Larger material for tests: real models and data sets, in the folder named by LLMTUNE_DATA.</summary>
public static class Data
{
    public const string Variable = "LLMTUNE_DATA";

    public static string? Root => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } root ? Path.GetFullPath(root) : null;

    /// <summary>A file or folder of it; skips the test if the variable is not set.</summary>
    public static string Require(params string[] parts)
    {
        if (Root is null) Assert.Skip($"{Variable} is not set");
        return Path.Combine([Root!, .. parts]);
    }

    /// <summary>A model that a golden case names: in the folder of data beside the root, or with the tests' own.</summary>
    internal static string Find(string path, GoldenCase golden)
    {
        foreach (var root in new[] { Path.Combine(AppContext.BaseDirectory, "data"), Root })
        {
            if (root is not null && Directory.Exists(Path.Combine(root, path))) return Path.Combine(root, path);
        }
        Golden.Skip(golden.Area, $"{path} is not there ({Variable})");
        return path;
    }
}
