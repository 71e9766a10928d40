namespace LlmTune.Tests;

/// <summary>A folder that is gone after the test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("llmtune-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>The names of all files in it, sorted.</summary>
    public IEnumerable<string> Names => Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories)
        .Select(file => System.IO.Path.GetRelativePath(Path, file).Replace('\\', '/')).Order(StringComparer.Ordinal);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
