using System.CommandLine;
using LlmTune.Native;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune doctor</c>: what this machine has, and what would go wrong.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var command = new Verb("doctor", "show what this machine has, and cause and cure of what is wrong", "doctor");
        command.SetAction(_ => Run());
        return command;
    }

    /// <summary>1 if something keeps the program from working, else 0.</summary>
    public static int Run() => Print(Doctor.Examine(Machine.Examine(), Installation.Examine()), Console.Out);

    internal static int Print(IReadOnlyList<Finding> findings, TextWriter output)
    {
        var width = findings.Max(finding => finding.Subject.Length);
        foreach (var (health, subject, text, cure) in findings)
        {
            output.WriteLine($"{Word(health),-4}  {subject.PadRight(width)}  {text}");
            if (cure is not null) output.WriteLine($"      {new string(' ', width)}  → {cure}");
        }
        return findings.Any(finding => finding.Health == Health.Bad) ? 1 : 0;
    }

    private static string Word(Health health) => health switch { Health.Ok => "ok", Health.Warn => "warn", _ => "BAD" };
}
