using System.CommandLine;
using LlmTune.Cli.Commands;

namespace LlmTune.Cli;

/// <summary>What the program can do. A new verb is a file in Commands/ and a line here; the order is that of the help.</summary>
internal static class Verbs
{
    public static IReadOnlyList<Command> All() =>
    [
        QuickstartCommand.Create(),
        InitCommand.Create(),
        PreviewCommand.Create(),
        InitModelCommand.Create(),
        TrainCommand.Create(),
        MergeCommand.Create(),
        EvalCommand.Create(),
        GenerateCommand.Create(),
        TokenizeCommand.Create(),
        TokenizerCommand.Create(),
        DoctorCommand.Create(),
        SchemaCommand.Create(),
    ];
}

/// <summary>A verb with examples of its use, shown in its help; the first one stands in the help of the program too.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples { get; } = examples;
}
