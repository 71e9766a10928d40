using LlmTune.Config;
using LlmTune.Recipes.OtherTools;

namespace LlmTune.Tests.Recipes.OtherTools;

/// <summary>
/// Run files of other tools by the hundred, below the folders that LLMTUNE_RUNFILES names: each is translated, or refused with a reason and a
/// line. The output says how many of each, by reason.
/// </summary>
public class ManyFilesTests(ITestOutputHelper output)
{
    private const string Variable = "LLMTUNE_RUNFILES", ToFetch = "translated once its data set is fetched", Translated = "translated";

    private static string[] Folders => Environment.GetEnvironmentVariable(Variable)?.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries) ?? [];

    [Fact]
    public void Each_is_translated_or_refused_with_a_reason_and_a_line()
    {
        if (Folders.Length == 0) Assert.Skip($"{Variable} names no folder");
        using var empty = new TemporaryFolder();
        foreach (var folder in Folders)
        {
            var files = Directory.EnumerateFiles(folder, "*.y*ml", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
            var outcomes = files.ConvertAll(file => (Name: Path.GetRelativePath(folder, file), Reason: Outcome(file, empty.Path)));
            output.WriteLine($"{folder}: {files.Count} files");
            foreach (var reason in outcomes.GroupBy(outcome => outcome.Reason).OrderByDescending(reason => reason.Count()))
                output.WriteLine($"{reason.Count(),5}  {reason.Key}, as {reason.First().Name}");
        }
    }

    private static string Outcome(string file, string folder)
    {
        try
        {
            if (ForeignTools.Translate(File.ReadAllText(file), new Place(Path.GetFileName(file), folder)) is not { } translation) return "of no tool that is known";
            translation.Config();
            return Translated;
        }
        catch (ConfigException e)
        {
            Assert.All(e.Problems, problem => Assert.False(string.IsNullOrWhiteSpace(problem.Message)));
            var others = e.Problems.Where(problem => !problem.Message.Contains("nothing is downloaded", StringComparison.Ordinal)).ToList();
            return others.Count == 0 ? ToFetch : Reason(others[0].Message);
        }
    }

    /// <summary>The key that is refused and the first words about it.</summary>
    private static string Reason(string message) => string.Join(' ', message.Split([", ", "; "], StringSplitOptions.None)[0].Split(' ').Take(12));
}
