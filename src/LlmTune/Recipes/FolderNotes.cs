using LlmTune.Adapters;
using LlmTune.Models;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>What is to be said about folders that were read, on a log.</summary>
internal static class FolderNotes
{
    public static void LeftOut(this ILogger log, ModelFolder folder)
    {
        if (folder.LeftOut.Count > 0)
            log.Warning("{Model}: left out {Count:N0} tensors that the model has no use for: {Names}", folder.Name, folder.LeftOut.Count, string.Join(", ", folder.LeftOut));
    }

    public static void Note(this ILogger log, AdapterNote note)
    {
        if (note.IsWarning) log.Warning("{Note}", note.Text);
        else log.Information("{Note}", note.Text);
    }
}
