using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using LlmTune.Cli;

namespace LlmTune.Tests;

/// <summary>What the README says can be typed.</summary>
public partial class ReadmeTests
{
    private static string Text => File.ReadAllText(Path.Combine(Repository.Root, "README.md"));

    [Fact]
    public void Commands_have_no_mistakes()
    {
        var commands = Command().Matches(Text).Select(match => match.Groups[1].Value.Split('#')[0].TrimEnd()).ToArray();
        Assert.True(commands.Length >= 8, $"only {commands.Length} commands were found");
        Assert.All(commands, command => Assert.Empty(ParseMistakes.Of(App.Root().Parse(CommandLineParser.SplitCommandLine(command).ToArray()))));
    }

    [Fact]
    public void Files_and_folders_that_it_names_are_there()
    {
        var links = Link().Matches(Text).Select(match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(links);
        Assert.All(links, link => Assert.True(Path.Exists(Path.Combine(Repository.Root, link)), link));
        var map = Text[Text.IndexOf("## Map", StringComparison.Ordinal)..];
        Assert.All(Directory.GetDirectories(Path.Combine(Repository.Root, "src", "LlmTune")).Select(Path.GetFileName),
            folder => Assert.Contains($"{folder}/", map, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"^(?:\$ )?llmtune ([^\n]+)$", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Link();
}
