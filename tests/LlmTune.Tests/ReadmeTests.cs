using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using LlmTune.Cli;
using LlmTune.Recipes;
using LlmTune.Tests.Cli;

namespace LlmTune.Tests;

/// <summary>What README, CONTRIBUTING and docs say can be typed, followed and pasted.</summary>
public partial class ReadmeTests
{
    private static string Text => Read("README.md");

    public static TheoryData<string> Documents =>
        [.. Directory.GetFiles(Repository.Root, "*.md").Concat(Directory.GetFiles(Path.Combine(Repository.Root, "docs"), "*.md")).Select(file => Path.GetRelativePath(Repository.Root, file))];

    private static string Read(string document) => File.ReadAllText(Path.Combine(Repository.Root, document));

    [Fact]
    public void Commands_have_no_mistakes()
    {
        var commands = Documents.SelectMany(document => Commands(Read(document.Data))).ToArray();
        Assert.True(commands.Length >= 12, $"only {commands.Length} commands were found");
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
        string[] sections = ["Your data in five commands", "Use the result", "More commands"];
        var commands = sections.SelectMany(section => Commands(Section(section).Replace("\n$ ", "\n# ", StringComparison.Ordinal))).ToArray();   // "$" stands in screens
        Assert.True(commands.Length >= 10, $"only {commands.Length} commands were found");
        foreach (var command in commands)
        {
            var args = CommandLineParser.SplitCommandLine(command).Select(word => Place().IsMatch(word) ? folder[word] : word).ToArray();
            if (args is ["tokenizer", "train", ..]) args = [.. args.Select(arg => arg == "8000" ? "300" : arg)];   // of so little text no more is learnt
            if (args is ["generate", ..]) args = [.. args.Where(arg => arg != "--chat")];                          // the small model has no template
            var (code, _, error) = AppTests.Run(args);
            Assert.True(code == 0 || args.Contains("--check"), $"{command}\n{error}");   // what --check finds in such data is its own matter
        }
        Assert.True(File.Exists(folder["out/Qwen2.5-0.5B-Instruct-lora/adapter/adapter_model.safetensors"]));
        Assert.True(File.Exists(folder["out/merged/model.safetensors"]));
    }

    /// <summary>Each of the forms of rows that are said to need no settings is found and becomes what is said.</summary>
    [Theory]
    [InlineData("rows.jsonl", """{"messages": [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "So."}]}""", "messages")]
    [InlineData("rows.csv", "question,answer\nHow?,So.", "question_answer")]
    [InlineData("rows.csv", "Question,Answer\nHow?,So.", "question_answer")]
    [InlineData("rows.jsonl", """{"question": "How?", "answer": "So."}""", "question_answer")]
    [InlineData("rows.jsonl", """{"instruction": "How?", "input": "", "output": "So."}""", "alpaca")]
    [InlineData("rows.jsonl", """{"text": "Once upon a time."}""", "text")]
    [InlineData("rows.txt", "Once upon a time.", "text")]
    public void Rows_that_need_no_settings_need_none(string name, string rows, string format)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[name], rows);
        File.WriteAllText(folder["run.yaml"], $$$"""
            model: { path: {{{RealModels.Stories}}}, chat_template: "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}" }
            data: { sources: [{ path: {{{folder[name]}}} }] }
            training: { output_dir: out }
            """);
        var (code, output, error) = AppTests.Run("preview", folder["run.yaml"]);
        Assert.True(code == 0, error);
        Assert.Contains($" of the format {format}", output + error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Files_and_folders_that_a_document_names_are_there(string document)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, document))!;
        foreach (var link in Link().Matches(Read(document)).Select(match => match.Groups[1].Value))
        {
            var (file, heading) = link.Split('#') is [var path, var anchor] ? (path, anchor) : (link, null);
            var target = file.Length == 0 ? Path.Combine(Repository.Root, document) : Path.Combine(folder, file);
            Assert.True(Path.Exists(target), $"{document}: {link}");
            if (heading is not null)
                Assert.Contains(heading, Heading().Matches(File.ReadAllText(target)).Select(match => match.Groups[1].Value.ToLowerInvariant().Replace(' ', '-')));
        }
    }

    [Fact]
    public void Every_folder_of_the_library_stands_in_the_map()
    {
        var map = Read("CONTRIBUTING.md");
        map = map[map.IndexOf("## Map", StringComparison.Ordinal)..];
        Assert.All(Directory.GetDirectories(Path.Combine(Repository.Root, "src", "LlmTune")).Select(Path.GetFileName),
            folder => Assert.Contains($"{folder}/", map, StringComparison.Ordinal));
    }

    /// <summary>Every piece of a run file in the documents is read without a mistake; what it leaves out is filled in.</summary>
    [Fact]
    public void Pieces_of_run_files_are_right()
    {
        using var folder = new TemporaryFolder();
        var pieces = Documents.SelectMany(document => Yaml().Matches(Read(document.Data)).Select(match => match.Groups[1].Value)).ToArray();
        Assert.True(pieces.Length >= 3, $"only {pieces.Length} pieces were found");
        foreach (var piece in pieces)
        {
            var text = piece.TrimStart().StartsWith('-') ? $"data:\n  sources:\n{piece}" : piece;
            if (!text.Contains("model:", StringComparison.Ordinal)) text += "\nmodel: { path: m }\n";
            if (!text.Contains("output_dir", StringComparison.Ordinal)) text += "\ntraining: { output_dir: out }\n";
            File.WriteAllText(folder["piece.yaml"], text);
            RunFile.Load(folder["piece.yaml"]);
        }
    }

    /// <summary>The commands of a text, without their comments.</summary>
    private static IEnumerable<string> Commands(string text) => Command().Matches(text).Select(match => match.Groups[1].Value.Split(" #")[0].TrimEnd());

    private static string Section(string heading)
    {
        var text = Text[(Text.IndexOf($"## {heading}\n", StringComparison.Ordinal) + 3)..];
        return text[..text.IndexOf("\n## ", StringComparison.Ordinal)];
    }

    [GeneratedRegex(@"^(?:\$ )?llmtune ([^\n]+)$", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex(@"^(run\.yaml|(models|data|out)/.*)$")]
    private static partial Regex Place();

    [GeneratedRegex(@"(?<!!)\]\(([^)]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"```yaml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Yaml();
}
