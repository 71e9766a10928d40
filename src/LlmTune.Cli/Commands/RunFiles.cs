using LlmTune.Cli.Terminal;
using LlmTune.Recipes;

namespace LlmTune.Cli.Commands;

/// <summary>Run files as verbs take them: ours, or another tool's with a word about what became what.</summary>
internal static class RunFiles
{
    /// <summary>The run of a file, with every default decided.</summary>
    public static RunConfig Read(string path, string[] overrides, Session session)
    {
        var file = RunFile.Load(path, overrides);
        if (file.From is { } translation)
        {
            session.Log.Information("{Report}", translation.Report());
            session.Log.Information("To keep it as a run file of ours: llmtune init run.yaml --from {File}\n", path);
        }
        return file.Config.Resolved();
    }
}
