namespace LlmTune.Io;

/// <summary>A folder that appears whole or not at all: written beside its place, flushed, then renamed.</summary>
public static class AtomicFolder
{
    /// <param name="replace">Whether a folder that is there may be replaced; it goes only after the new one is whole.</param>
    /// <param name="content">Writes the files into the folder that it is given.</param>
    /// <exception cref="RequestException">Something is there and may not be replaced.</exception>
    public static void Write(string folder, bool replace, Action<string> content)
    {
        folder = Path.GetFullPath(Path.TrimEndingDirectorySeparator(folder));
        RequireFree(folder, replace);
        var parent = Path.GetDirectoryName(folder) ?? throw new RequestException($"{folder} cannot be written to; name a folder below it");
        Directory.CreateDirectory(parent);
        var staged = Path.Combine(parent, $".{Path.GetFileName(folder)}.{Environment.ProcessId}.partial");
        if (Directory.Exists(staged)) Directory.Delete(staged, recursive: true);
        Directory.CreateDirectory(staged);
        try
        {
            content(staged);
            AtomicFile.FlushFolder(staged);
            if (Directory.Exists(folder))
            {
                var old = staged + ".old";
                Directory.Move(folder, old);
                Directory.Move(staged, folder);
                Directory.Delete(old, recursive: true);
            }
            else
            {
                Directory.Move(staged, folder);
            }
            AtomicFile.FlushFolder(parent);
        }
        catch
        {
            if (Directory.Exists(staged)) Directory.Delete(staged, recursive: true);
            throw;
        }
    }

    /// <summary>Refuses a place where something is, before any work is done.</summary>
    public static void RequireFree(string folder, bool replace)
    {
        if (File.Exists(folder)) throw new RequestException($"{folder} is a file; name a folder");
        if (!replace && Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new RequestException($"{folder} is there and not empty; name another folder, or say --force to replace it");
    }
}
