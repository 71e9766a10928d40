using System.Text.RegularExpressions;

namespace LlmTune.Io;

/// <summary>The local cache of the Hugging Face Hub, where <c>hf download</c> puts what it fetches.</summary>
internal static partial class HubFolders
{
    public const string Models = "models", DataSets = "datasets";

    /// <summary>Whether a text may be the id of a model or a data set: owner and name.</summary>
    public static bool IsId(string text) => Id().IsMatch(text) && !text.Contains("..", StringComparison.Ordinal);

    /// <summary>The folder of an id, whether it is there or not.</summary>
    /// <param name="kind">Of what.</param>
    public static string Folder(string kind, string id) => Path.Combine(Root, $"{kind}--{id.Replace("/", "--", StringComparison.Ordinal)}");

    /// <summary>The files of an id as they were fetched last; null where they are not here.</summary>
    public static string? Snapshot(string kind, string id)
    {
        var folder = Folder(kind, id);
        var reference = Path.Combine(folder, "refs", "main");
        if (!File.Exists(reference)) return null;
        var snapshot = Path.Combine(folder, "snapshots", File.ReadAllText(reference).Trim());
        return Directory.Exists(snapshot) ? snapshot : null;
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

    [GeneratedRegex(@"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w-]*(\.[\w-]+)*\z")]
    private static partial Regex Id();
}
