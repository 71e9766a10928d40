using LlmTune.Cli.Commands;
using LlmTune.Native;

namespace LlmTune.Tests.Cli.Commands;

public sealed class DoctorCommandTests
{
    [Fact]
    public void Findings_are_lines_and_what_is_bad_fails()
    {
        var output = new StringWriter { NewLine = "\n" };
        Finding[] findings = [new(Health.Ok, "cpu", "one"), new(Health.Warn, "memory", "little", "buy some")];
        Assert.Equal(0, DoctorCommand.Print(findings, output));
        Assert.Equal(1, DoctorCommand.Print([new(Health.Bad, "unicode", "none", "install it")], output));
        Assert.Equal(
            """
            ok    cpu     one
            warn  memory  little
                          → buy some
            BAD   unicode  none
                           → install it

            """, output.ToString());
    }

    [Fact]
    public void The_verb_is_called_doctor() => Assert.Equal("doctor", DoctorCommand.Create().Name);
}
