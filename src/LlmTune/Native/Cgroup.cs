using System.Globalization;

namespace LlmTune.Native;

/// <summary>The memory that Linux lets this process use, where a container or a service sets a limit (cgroup version 2 and 1).</summary>
internal static class Cgroup
{
    /// <summary>
    /// The tightest limit of the process's group and of those above it, and what that group uses; null if there is none. Pages of files
    /// that were read count as free: the system takes them back when memory is asked for.
    /// </summary>
    /// <param name="root">/ but for tests.</param>
    public static (long Limit, long Used)? Memory(string root = "/")
    {
        var membership = Path.Combine(root, "proc/self/cgroup");
        if (!File.Exists(membership)) return null;
        (long Limit, long Used)? tightest = null;
        foreach (var line in File.ReadLines(membership))
        {
            // 0::/path in version 2; 4:memory:/path in version 1.
            if (line.Split(':', 3) is not [_, var controllers, var path]) continue;
            var found = controllers == ""
                ? Tightest(Path.Combine(root, "sys/fs/cgroup"), path, "memory.max", "memory.current", "inactive_file")
                : controllers.Split(',').Contains("memory")
                    ? Tightest(Path.Combine(root, "sys/fs/cgroup/memory"), path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                    : null;
            if (found is { } limit && (tightest is null || limit.Limit < tightest.Value.Limit)) tightest = limit;
        }
        return tightest;
    }

    private static (long Limit, long Used)? Tightest(string mount, string path, string limitFile, string usedFile, string cached)
    {
        (long Limit, long Used)? tightest = null;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (var depth = parts.Length; depth >= 0; depth--)
        {
            // Inside a container the own group is mounted as the root, and the path leads nowhere.
            var folder = Path.Combine([mount, .. parts[..depth]]);
            if (Number(Path.Combine(folder, limitFile)) is { } limit && (tightest is null || limit < tightest.Value.Limit))
                tightest = (limit, Math.Max(0, (Number(Path.Combine(folder, usedFile)) ?? 0) - Statistic(Path.Combine(folder, "memory.stat"), cached)));
        }
        return tightest;
    }

    /// <summary>The number behind a name in a file of such lines; 0 where there is none.</summary>
    private static long Statistic(string file, string name)
    {
        try
        {
            var line = File.ReadLines(file).FirstOrDefault(line => line.StartsWith($"{name} ", StringComparison.Ordinal));
            return line is not null && long.TryParse(line[(name.Length + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>Null for "max", and for version 1's word for it: the largest number of whole pages.</summary>
    private static long? Number(string file)
    {
        try
        {
            var text = File.ReadAllText(file);
            return long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) && number < 1L << 60 ? number : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
