using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using LlmTune.Cli;
using LlmTune.Tests.Cli;

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

    /// <summary>
    /// The commands for one's own model and data, one after another, on a small model and small data that lie where they say. Those of
    /// the example and of quickstart are run by the tests of these.
    /// </summary>
    [Fact]
    public void Commands_for_ones_own_model_work_in_their_order()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["models/Qwen2.5-0.5B-Instruct"]);
        foreach (var file in Directory.GetFiles(RealModels.Stories)) File.Copy(file, Path.Combine(folder["models/Qwen2.5-0.5B-Instruct"], Path.GetFileName(file)));
        Directory.CreateDirectory(folder["data"]);
        File.WriteAllLines(folder["data/train.jsonl"], Enumerable.Range(0, 200).Select(i => $$"""{"prompt": "How many cats has girl {{i}}?", "completion": " She has {{i}} cats."}"""));
        File.WriteAllLines(folder["data/book.txt"], Enumerable.Range(0, 200).Select(i => $"Once upon a time there was a girl who had {i} cats."));
        var block = Text[Text.IndexOf("With your own model and data:", StringComparison.Ordinal)..];
        var commands = Command().Matches(block[..block.IndexOf("## ", StringComparison.Ordinal)]).Select(match => match.Groups[1].Value.Split('#')[0].TrimEnd()).ToArray();
        Assert.True(commands.Length >= 9, $"only {commands.Length} commands were found");
        foreach (var command in commands)
        {
            var args = CommandLineParser.SplitCommandLine(command).Select(word => Place().IsMatch(word) ? folder[word] : word).ToArray();
            if (args is ["tokenizer", "train", ..]) args = [.. args.Select(arg => arg == "8000" ? "300" : arg)];   // of so little text no more is learnt
            var (code, _, error) = AppTests.Run(args);
            Assert.True(code == 0 || args.Contains("--check"), $"{command}\n{error}");   // what --check finds in such data is its own matter
        }
        Assert.True(File.Exists(folder["out/Qwen2.5-0.5B-Instruct-lora/adapter/adapter_model.safetensors"]));
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

    [GeneratedRegex(@"^(run\.yaml|(models|data|out)/.*)$")]
    private static partial Regex Place();

    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Link();
}
