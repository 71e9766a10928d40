using LlmTune.Config;
using LlmTune.Recipes.OtherTools;

namespace LlmTune.Recipes;

/// <summary>A run file as it was given: ours, or one of another tool, translated.</summary>
/// <param name="Config">The run as it is asked for; its last defaults are decided by <see cref="RunConfig.Resolved"/>.</param>
/// <param name="From">What became what; null for a file in our own format.</param>
public sealed record RunFile(RunConfig Config, Translation? From)
{
    /// <param name="path">The file. Paths in ours are relative to its folder, those in another tool's to the current one, as they are there.</param>
    /// <param name="overrides">Settings to change, by our names: <c>adapter.r=8</c>.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static RunFile Load(string path, params IEnumerable<string> overrides)
    {
        var text = ConfigFile.ReadText(path);
        var translation = ForeignTools.Translate(text, new Place(path, Directory.GetCurrentDirectory()));
        return new RunFile(translation?.Config(overrides) ?? ConfigFile.Parse<RunConfig>(text, path, overrides), translation);
    }
}
