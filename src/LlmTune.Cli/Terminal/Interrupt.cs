using System.Runtime.InteropServices;
using Spectre.Console;

namespace LlmTune.Cli.Terminal;

/// <summary>
/// Ctrl-C, SIGTERM, and SIGHUP of a terminal or connection that closes. Ordinarily the program ends at once with exit code 130. A verb that has something to save says so by
/// <see cref="Expect"/>: then the first one only cancels <see cref="Token"/>, and the second one ends the program.
/// </summary>
public sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _signals;
    private readonly IAnsiConsole _console;
    private volatile string? _answer;

    internal Interrupt(Screen screen)
    {
        _console = screen.People;
        _signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(signal, Handle))];
    }

    /// <summary>Cancelled when the user wants to stop.</summary>
    public CancellationToken Token => _source.Token;

    /// <param name="answer">What is done about it, said when it happens: <c>saving a checkpoint after this step</c>.</param>
    public void Expect(string answer) => _answer = answer;

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _source.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        // A terminal that closes may say so twice, itself and through its shell: that is no wish to stop at once.
        if (context.Signal == PosixSignal.SIGHUP && _source.IsCancellationRequested) return;
        if (_answer is { } answer && !_source.IsCancellationRequested)
        {
            _console.Line("interrupted: ", "olive", $"{answer}; once more stops at once");
            _source.Cancel();
            return;
        }
        _console.Cursor.Show();
        _console.Line("interrupted", "olive");
        Environment.Exit(Failures.Interrupted);
    }
}
