namespace LlmTune.Cli;

/// <summary>How a shell runs this very program.</summary>
internal static class ProgramPath
{
    /// <summary>The executable, or dotnet and the assembly where the build made none; quoted where a shell needs it.</summary>
    public static string Absolute
    {
        get
        {
            var executable = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "llmtune.exe" : "llmtune");
            return File.Exists(executable) ? Quoted(executable) : $"dotnet {Quoted(Path.ChangeExtension(executable, ".dll"))}";
        }
    }

    /// <summary>The line to type once so that <c>llmtune</c> is this program; null where the shell finds it anyway.</summary>
    public static string? Alias => IsFound(Environment.GetEnvironmentVariable("PATH") ?? "") ? null
        : OperatingSystem.IsWindows() ? $"function llmtune {{ & {Absolute} @args }}" : $"alias llmtune={Escaped(Absolute)}";

    internal static bool IsFound(string path)
    {
        var name = OperatingSystem.IsWindows() ? "llmtune.exe" : "llmtune";
        var first = path.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        return first is not null && Path.GetFullPath(first) == Path.Combine(AppContext.BaseDirectory, name);
    }

    /// <summary>A path as a shell takes it for one word.</summary>
    public static string Quoted(string path) => path.Contains(' ', StringComparison.Ordinal) ? $"\"{path}\"" : path;

    private static string Escaped(string command) => command.Contains(' ', StringComparison.Ordinal) ? $"'{command}'" : command;
}
