using System.CommandLine;
using System.CommandLine.Parsing;
using LlmTune.Cli;
using LlmTune.Cli.Terminal;

namespace LlmTune.Tests.Cli;

public class AppTests
{
    internal static (int Code, string Output, string Error) Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = App.Run(args, Screen.To(output, error));
        return (code, output.ToString().ReplaceLineEndings("\n"), error.ToString().ReplaceLineEndings("\n"));
    }

    [Fact]
    public void The_help_names_every_verb_with_an_example()
    {
        var (code, help, error) = Run("--help");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(help, Run().Output);
        Assert.StartsWith("Fine-tunes language models", help, StringComparison.Ordinal);
        Assert.Contains("\nUsage\n  llmtune <verb> [options]\n", help, StringComparison.Ordinal);
        Assert.DoesNotContain(" \n", help, StringComparison.Ordinal);
        Assert.All(Verbs.All(), verb =>
        {
            Assert.Contains($"\n  {verb.Name} ", help, StringComparison.Ordinal);
            Assert.Contains($"\n  llmtune {verb.Name}", help, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void The_help_of_a_verb_names_its_arguments_options_and_examples() => Assert.All(Verbs.All(), command =>
    {
        var verb = Assert.IsType<Verb>(command);
        var (code, help, _) = Run(verb.Name, "--help");
        Assert.Equal(0, code);
        Assert.StartsWith(verb.Description!, help, StringComparison.Ordinal);
        Assert.Contains($"\n  llmtune {verb.Name}", help, StringComparison.Ordinal);
        Assert.NotEmpty(verb.Examples);
        Assert.All(verb.Examples, example => Assert.Contains($"\n  llmtune {example}\n", help, StringComparison.Ordinal));
        Assert.All(verb.Options, option => Assert.Contains(option.Name, help, StringComparison.Ordinal));
        Assert.All(verb.Options, option => Assert.False(string.IsNullOrEmpty(option.Description), option.Name));
        Assert.All(verb.Arguments, argument => Assert.False(string.IsNullOrEmpty(argument.Description), argument.Name));
    });

    /// <summary>What stands in an example must be understood.</summary>
    [Fact]
    public void Examples_have_no_mistakes() => Assert.All(Verbs.All().OfType<Verb>().SelectMany(verb => verb.Examples), example =>
    {
        var words = CommandLineParser.SplitCommandLine(example.Split('#', '>', '|')[0]).ToArray();
        Assert.Empty(ParseMistakes.Of(App.Root().Parse(words)));
    });

    [Theory]
    [InlineData("ini", "error: unknown verb 'ini', did you mean 'init'?\nllmtune --help shows how it is used\n")]
    [InlineData("--versio", "error: unknown option '--versio', did you mean '--version'?\nllmtune --help shows how it is used\n")]
    [InlineData("zzz", "error: unknown verb 'zzz'; there are quickstart, init, ", true)]
    [InlineData("schema --lst", "error: unknown option '--lst', did you mean '--list'?\nllmtune schema --help shows how it is used\n")]
    [InlineData("schema --verbos=3", "error: unknown option '--verbos', did you mean '--verbose'?\nllmtune schema --help shows how it is used\n")]
    [InlineData("schema one two", "error: unexpected argument 'one'\nerror: unexpected argument 'two'\nllmtune schema --help shows how it is used\n")]
    [InlineData("quickstart --seed x", "error: --seed must be a whole number, got 'x'\nllmtune quickstart --help shows how it is used\n")]
    [InlineData("merge out", "error: --output is missing: ", true)]
    [InlineData("schema --log-file", "error: --log-file needs a value: write the log to this file too\nllmtune schema --help shows how it is used\n")]
    [InlineData("init x.yaml --force --method qlora", "error: --method must be lora, full or pretrain, got 'qlora', which is not built yet: a base in 4 or 8 bits (QLoRA); adapter: { type: lora } trains on a base in 16 bits (more memory)\nllmtune init --help shows how it is used\n")]
    public void A_command_line_that_makes_no_sense(string line, string message, bool isStart = false)
    {
        var (code, output, error) = Run(line.Split(' '));
        Assert.Equal((2, ""), (code, output));
        if (isStart) Assert.StartsWith(message, error, StringComparison.Ordinal);
        else Assert.Equal(message, error);
    }

    [Fact]
    public void Help_and_version_are_verbs_too()
    {
        Assert.Equal(Run("train", "--help"), Run("help", "train"));
        Assert.Equal(Run("--help"), Run("help"));
        Assert.Equal(Run("--version"), Run("version"));
    }

    [Fact]
    public void A_missing_argument_and_a_missing_verb_are_named()
    {
        var root = new RootCommand
        {
            new Command("tokenizer", "") { new Command("train", "") { new Argument<string>("file") { Description = "text to learn from" } }, new Command("show", "") },
        };
        root.Subcommands[0].Subcommands[0].SetAction(_ => 0);
        Assert.Equal(["a verb is missing: train or show"], ParseMistakes.Of(root.Parse("tokenizer")));
        Assert.Equal(["<file> is missing: text to learn from"], ParseMistakes.Of(root.Parse("tokenizer train")));
        Assert.Equal(["unknown verb 'trian', did you mean 'train'?"], ParseMistakes.Of(root.Parse("tokenizer trian x")));
    }

    /// <summary>A list of arguments does not take misspelt options for values; after -- anything is a value.</summary>
    [Fact]
    public void Options_are_not_swallowed_by_lists_of_arguments()
    {
        var root = new RootCommand { new Command("train", "") { new Argument<string[]>("overrides"), new Option<bool>("--force") } };
        root.Subcommands[0].SetAction(_ => 0);
        Assert.Equal(["unknown option '--forse', did you mean '--force'?"], ParseMistakes.Of(root.Parse("train a=1 --forse b=2")));
        Assert.Empty(ParseMistakes.Of(root.Parse("train a=1 --force -3 -- --forse")));
    }

    [Fact]
    public void The_log_goes_to_a_file_too_and_one_that_cannot_be_written_is_named()
    {
        var folder = Directory.CreateTempSubdirectory("llmtune").FullName;
        var (code, _, error) = Run("init", Path.Join(folder, "run.yaml"), "--model", RealModels.Stories, "--data", "-", "--quiet", "--log-file", Path.Join(folder, "logs", "x.log"));
        Assert.Equal((0, ""), (code, error));
        Assert.Contains(" INF Wrote ", File.ReadAllText(Path.Join(folder, "logs", "x.log")), StringComparison.Ordinal);

        (code, _, error) = Run("schema", "--log-file", folder);
        Assert.Equal(2, code);
        Assert.StartsWith("error: --log-file: ", error, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void The_version_is_that_of_the_program() => Assert.Matches(@"^\d+\.\d+\.\d+", Run("--version").Output);
}
