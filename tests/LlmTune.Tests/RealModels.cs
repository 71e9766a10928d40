namespace LlmTune.Tests;

/// <summary>Trained small models: stories260K comes with the tests, others lie in the folder named by LLMTUNE_DATA.</summary>
internal static class RealModels
{
    public const string Variable = "LLMTUNE_DATA";

    /// <summary>The folder of a model, or null if it is not there.</summary>
    public static string? Find(string name)
    {
        var data = Environment.GetEnvironmentVariable(Variable);
        string?[] roots = [Path.Combine(AppContext.BaseDirectory, "models"), string.IsNullOrEmpty(data) ? null : Path.Combine(Path.GetFullPath(data), "models")];
        return roots.Where(root => root is not null).Select(root => Path.Combine(root!, name)).FirstOrDefault(Directory.Exists);
    }

    /// <summary>The small trained model that comes with the tests.</summary>
    public static string Stories => Find("stories260K") ?? throw new InvalidOperationException("models/stories260K is not beside the tests");
}
