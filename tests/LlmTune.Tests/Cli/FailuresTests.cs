using LlmTune.Cli.Terminal;
using LlmTune.Config;

namespace LlmTune.Tests.Cli;

public class FailuresTests
{
    private static readonly ConfigException Config = new(
    [
        new ConfigProblem(new Place("run.yaml", "/", 3, 5), "unknown key 'x'"),
        new ConfigProblem(new Place("r=0 (command line)", "/"), "adapter.r must be at least 1, got 0"),
    ]);

    public static TheoryData<Exception, int, string> Kinds() => new()
    {
        { new RequestException("no [bold]such[/] file"), 2, "error: no [bold]such[/] file\n" },
        { new RunException("the disk is full"), 1, "error: the disk is full\n" },
        { new IOException("read failed"), 1, "error: read failed\n" },
        { new OperationCanceledException(), 130, "interrupted\n" },
        { Config, 2, "run.yaml:3:5: unknown key 'x'\nr=0 (command line): adapter.r must be at least 1, got 0\n" },
        {
            new InvalidOperationException("CUDA out of memory. Tried to allocate 2.00 GiB\nmore"), 1,
            "error: out of memory: CUDA out of memory. Tried to allocate 2.00 GiB\n  → smaller per_device_train_batch_size (with more "
            + "gradient_accumulation_steps the result is the same), gradient_checkpointing: true, or a shorter data.max_length\n"
        },
        { new InvalidOperationException("oops"), 1, "error: oops (InvalidOperationException; this is a defect of the program, --verbose shows where)\n" },
    };

    [Theory]
    [MemberData(nameof(Kinds), DisableDiscoveryEnumeration = true)]
    public void A_failure_is_a_message_without_a_stack_trace_and_an_exit_code(Exception failure, int code, string message)
    {
        using var error = new StringWriter();
        Assert.Equal(code, Failures.Report(failure, Screen.To(TextWriter.Null, error), verbose: false));
        Assert.Equal(message, error.ToString().ReplaceLineEndings("\n"));
    }

    [Fact]
    public void Verbose_shows_where_it_came_from()
    {
        using var error = new StringWriter();
        try
        {
            throw new RunException("broken");
        }
        catch (RunException e)
        {
            Failures.Report(e, Screen.To(TextWriter.Null, error), verbose: true);
        }
        Assert.Contains("at LlmTune.Tests.Cli.FailuresTests", error.ToString(), StringComparison.Ordinal);
    }
}
