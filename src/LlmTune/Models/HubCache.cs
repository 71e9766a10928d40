namespace LlmTune.Models;

/// <summary>Where a model lies: a folder, or a hub id in the local Hugging Face cache. Nothing is downloaded.</summary>
public static class HubCache
{
    /// <exception cref="RequestException">Neither a folder nor in the cache.</exception>
    public static string Resolve(string pathOrId)
    {
        if (Directory.Exists(pathOrId)) return Path.GetFullPath(pathOrId);
        var parts = pathOrId.Split('/');
        if (parts.Length != 2 || parts.Any(part => part.Length == 0 || part.StartsWith('.')) || Path.IsPathRooted(pathOrId))
            throw new RequestException($"there is no model folder {pathOrId}");
        var hub = Path.Combine(Root, $"models--{parts[0]}--{parts[1]}");
        var reference = Path.Combine(hub, "refs", "main");
        if (File.Exists(reference))
        {
            var snapshot = Path.Combine(hub, "snapshots", File.ReadAllText(reference).Trim());
            if (Directory.Exists(snapshot)) return snapshot;
        }
        throw new RequestException(
            $"{pathOrId} is neither a folder nor a model in the local Hugging Face cache ({hub}); download it there first "
            + $"(hf download {pathOrId}), or give the path of a folder");
    }

    private static string Root =>
        Environment.GetEnvironmentVariable("HF_HUB_CACHE") is { Length: > 0 } cache ? cache
        : Path.Combine(
            Environment.GetEnvironmentVariable("HF_HOME") is { Length: > 0 } home
                ? home
                : Path.Combine(
                    Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } caches
                        ? caches
                        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
                    "huggingface"),
            "hub");
}
