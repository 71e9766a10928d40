using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using LlmTune.Cli.Terminal;
using Spectre.Console;

namespace LlmTune.Cli;

/// <summary>The help: what it is, how it is called, what may be given, and examples that can be copied.</summary>
internal static class HelpText
{
    public const string Program = "llmtune";

    /// <summary>Puts this help in the place of System.CommandLine's own, whose name for the program is that of the file it runs from.</summary>
    public static void Attach(RootCommand root)
    {
        var option = root.Options.OfType<HelpOption>().Single();
        option.Description = "show this help";
        root.Options.OfType<VersionOption>().Single().Description = "show the version";
        option.Action = new HelpOfVerb();
        root.Action = new HelpOfVerb();
    }

    public static string NameOf(Command command) => command is RootCommand ? Program : $"{NameOf((Command)command.Parents.First())} {command.Name}";

    /// <summary>Writes the help of the command that was asked about.</summary>
    internal sealed class HelpOfVerb : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            Write(parseResult.CommandResult.Command, parseResult.Session().Screen.Results);
            return 0;
        }
    }

    private static void Write(Command command, IAnsiConsole console)
    {
        console.WriteLine(command.Description ?? "");
        Heading(console, "Usage");
        var arguments = string.Concat(command.Arguments.Select(argument => $" {Shown(argument)}"));
        console.WriteLine($"  {NameOf(command)}{(command.Subcommands.Count > 0 ? " <verb>" : "")}{arguments} [options]");

        Table(console, "Verbs", command.Subcommands.Select(verb => (verb.Name, verb.Description)));
        Table(console, "Arguments", command.Arguments.Select(argument => (Shown(argument), argument.Description)));
        Table(console, "Options", command.Options.Where(option => !IsGlobal(option)).Select(Row));
        Table(console, "Global options", Globals(command).Select(Row));

        string[] examples = command is Verb verb ? [.. verb.Examples] : [.. command.Subcommands.OfType<Verb>().Select(sub => sub.Examples[0])];
        if (examples.Length == 0) return;
        Heading(console, "Examples");
        foreach (var example in examples) console.Line($"  {Program} {example}", "green");
    }

    private static IEnumerable<Option> Globals(Command command) =>
        command.Options.Where(IsGlobal).Concat(Inherited(command));

    /// <summary>Options of the program and of the verbs above this one, which hold here too.</summary>
    public static IEnumerable<Option> Inherited(Command command) =>
        command.Parents.OfType<Command>().SelectMany(parent => parent.Options.Where(option => option.Recursive));

    private static bool IsGlobal(Option option) => option.Recursive || option is HelpOption or VersionOption;

    private static (string, string?) Row(Option option)
    {
        var names = option.Aliases.Where(alias => alias is ['-', not '?', ..]).Append(option.Name).Distinct().OrderBy(name => name.Length);
        var value = option.ValueType == typeof(bool) || option is HelpOption or VersionOption ? "" : $" <{option.HelpName ?? "value"}>";
        return (string.Join(", ", names) + value, option.Description);
    }

    private static string Shown(Argument argument)
    {
        var name = argument.Arity.MaximumNumberOfValues > 1 ? $"<{argument.Name}>..." : $"<{argument.Name}>";
        return argument.Arity.MinimumNumberOfValues == 0 ? $"[{name}]" : name;
    }

    private static void Heading(IAnsiConsole console, string title)
    {
        console.WriteLine();
        console.Line(title, "bold");
    }

    private static void Table(IAnsiConsole console, string title, IEnumerable<(string Name, string? Description)> rows)
    {
        var all = rows.ToList();
        if (all.Count == 0) return;
        Heading(console, title);
        TextColumns.Write(console, [.. all.Select(row => new[] { row.Name, row.Description ?? "" })]);
    }
}
