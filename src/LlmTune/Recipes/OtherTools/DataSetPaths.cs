using LlmTune.Data.Sources;
using LlmTune.Io;

namespace LlmTune.Recipes.OtherTools;

/// <summary>Data sets as other tools name them: by the id of one on the Hub, with a split in Hugging Face's form.</summary>
internal static class DataSetPaths
{
    /// <summary>Whether a name is an id of the Hub that neither lies here as a path nor in the local cache.</summary>
    /// <param name="folder">What paths are relative to.</param>
    public static bool IsAbsent(string name, string folder) =>
        HubFolders.IsId(name) && FileKind.Of(name) is null && !Path.Exists(Path.Combine(folder, name)) && HubFolders.Snapshot(HubFolders.DataSets, name) is null;

    /// <summary>Why such a name is refused.</summary>
    public static string Fetch(string id) =>
        $"is not here, and nothing is downloaded; fetch it (hf download {id} --repo-type dataset), and this file finds it in the local Hugging Face cache";

    /// <summary>Why a split is refused; null for one that is read.</summary>
    public static string? SplitProblem(string split)
    {
        if (split.Contains('+', StringComparison.Ordinal)) return "joins splits; write a data set for each of them";
        try
        {
            RowSlice.Parse(split);
            return null;
        }
        catch (RequestException)
        {
            return "is no split that is read; there are a name, or some of its rows: train[:1000], train[10%:20%]";
        }
    }
}
