namespace LlmTune.Tests.Data;

/// <summary>Larger data sets, found through LLMTUNE_DATA.</summary>
internal static class Material
{
    public const string Variable = "LLMTUNE_DATA";

    /// <summary>A folder or file of it; skips the test where the variable is not set.</summary>
    public static string Path(params string[] parts)
    {
        var root = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(root)) Assert.Skip($"{Variable} is not set");
        return System.IO.Path.Combine([root, .. parts]);
    }
}
