using LlmTune.Io;

namespace LlmTune.Models;

/// <summary>Where a model lies: a folder, or a hub id in the local Hugging Face cache. Nothing is downloaded.</summary>
public static class HubCache
{
    /// <exception cref="RequestException">Neither a folder nor in the cache.</exception>
    public static string Resolve(string pathOrId)
    {
        if (Directory.Exists(pathOrId)) return Path.GetFullPath(pathOrId);
        if (File.Exists(pathOrId)) throw new RequestException($"{pathOrId} is a file, expected a folder{(OtherForms.Describe(pathOrId) is { } form ? $". It is {form}" : "")}");
        var parts = pathOrId.Split('/');
        if (parts.Length != 2 || parts.Any(part => part.Length == 0 || part.StartsWith('.')) || Path.IsPathRooted(pathOrId))
            throw new RequestException($"there is no model folder {pathOrId}");
        return HubFolders.Snapshot(HubFolders.Models, pathOrId) ?? throw new RequestException(
            $"{pathOrId} is neither a folder nor a model in the local Hugging Face cache ({HubFolders.Folder(HubFolders.Models, pathOrId)}); download it there first "
            + $"(hf download {pathOrId}), or give the path of a folder");
    }
}
