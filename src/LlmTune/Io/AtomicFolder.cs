using System.Diagnostics;
using System.Globalization;

namespace LlmTune.Io;

/// <summary>A folder that appears whole or not at all: written beside its place, flushed, then renamed.</summary>
public static class AtomicFolder
{
    private const string Partial = ".partial", Old = ".old";

    /// <param name="replace">Whether a folder that is there may be replaced; it goes only after the new one is whole.</param>
    /// <param name="content">Writes the files into the folder that it is given.</param>
    /// <param name="aside">Where a folder that is replaced goes, beside it; null: it is deleted.</param>
    /// <exception cref="RequestException">Something is there and may not be replaced.</exception>
    public static void Write(string folder, bool replace, Action<string> content, string? aside = null)
    {
        folder = Path.GetFullPath(Path.TrimEndingDirectorySeparator(folder));
        RequireFree(folder, replace);
        var parent = Path.GetDirectoryName(folder) ?? throw new RequestException($"{folder} cannot be written to; name a folder below it");
        Directory.CreateDirectory(parent);
        Recover(parent, folder);
        var staged = Staged(parent, folder);
        var old = aside ?? staged + Old;
        Directory.CreateDirectory(staged);
        try
        {
            content(staged);
            AtomicFile.FlushFolder(staged);
            if (Directory.Exists(folder))
            {
                Directory.Move(folder, old);
                Directory.Move(staged, folder);
                if (aside is null) Directory.Delete(old, recursive: true);
            }
            else
            {
                Directory.Move(staged, folder);
            }
            AtomicFile.FlushFolder(parent);
        }
        catch
        {
            if (!Directory.Exists(folder) && Directory.Exists(old)) Directory.Move(old, folder);
            if (Directory.Exists(staged)) Directory.Delete(staged, recursive: true);
            throw;
        }
    }

    /// <summary>Deletes a folder that under its name is whole until it is gone.</summary>
    public static void Delete(string folder)
    {
        folder = Path.GetFullPath(Path.TrimEndingDirectorySeparator(folder));
        var parent = Path.GetDirectoryName(folder)!;
        Recover(parent, folder);
        var gone = Staged(parent, folder);
        Directory.Move(folder, gone);
        Directory.Delete(gone, recursive: true);
    }

    private static string Staged(string parent, string folder) => Path.Combine(parent, $".{Path.GetFileName(folder)}.{Environment.ProcessId}{Partial}");

    /// <summary>What writers that were killed have left: a folder that was moved aside goes back, what was not finished goes away.</summary>
    private static void Recover(string parent, string folder)
    {
        foreach (var left in Directory.GetDirectories(parent, $".{Path.GetFileName(folder)}.*{Partial}*"))
        {
            var parts = left[(Path.Combine(parent, $".{Path.GetFileName(folder)}.").Length)..].Split('.');
            if (!int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var writer) || (writer != Environment.ProcessId && IsAlive(writer))) continue;
            if (left.EndsWith(Old, StringComparison.Ordinal) && !Directory.Exists(folder)) Directory.Move(left, folder);
            else Directory.Delete(left, recursive: true);
        }
    }

    private static bool IsAlive(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
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
