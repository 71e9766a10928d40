using System.Diagnostics;
using Serilog;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace LlmTune.Cli.Terminal;

/// <summary>
/// The progress of a run: on a terminal one block that is kept up to date below the log, elsewhere (and in the log file) one
/// line a logging step. Not for use by several threads at once, but the log may write from any.
/// </summary>
public sealed class ProgressView : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly ILogger _log;
    private readonly int _loggingSteps;
    private readonly LiveBlock? _block;
    private readonly List<double> _losses = [];
    private readonly Stopwatch _sinceDrawn = new();
    private ProgressStep? _last;
    private int _activityTenth;

    /// <param name="session">Of the verb.</param>
    /// <param name="loggingSteps">Steps between two lines.</param>
    public ProgressView(Session session, int loggingSteps = 1)
    {
        _log = session.Log.ForContext(ScreenSink.Progress, true);
        _loggingSteps = loggingSteps;
        if (session.Screen.IsLive && !session.IsQuiet) _block = new LiveBlock(session.Screen.People);
    }

    /// <summary>A step is done.</summary>
    public void Update(ProgressStep step)
    {
        var isLast = step.Step == step.TotalSteps;
        if (step.Step % _loggingSteps == 0 || isLast) _log.Information("{Line}", step.Line);
        if (_block is null) return;
        _losses.Add(step.Loss);
        _last = step;
        if (IsTime(isLast)) Draw(step);
    }

    /// <summary>Something else takes its time: <c>tokenizing 12,000/50,000</c>.</summary>
    public void Update(string activity, long done, long total)
    {
        var tenth = (int)(10 * done / Math.Max(total, 1));
        if (tenth != _activityTenth || done == 0) _log.Information("{Activity} {Done:N0}/{Total:N0}", activity, done, total);
        _activityTenth = done == total ? 0 : tenth;
        if (_block is null) return;
        if (done >= total) _block.Show(_ => []);
        else if (IsTime(done == 0)) _block.Show(width => ProgressBlock.Lines(activity, done, total, width));
    }

    /// <summary>The last step stays on the screen.</summary>
    public void Dispose()
    {
        if (_last is not null) Draw(_last);
        _block?.Dispose();
    }

    private void Draw(ProgressStep step) => _block?.Show(width => ProgressBlock.Lines(step, _losses, width));

    private bool IsTime(bool always)
    {
        if (!always && _sinceDrawn.IsRunning && _sinceDrawn.Elapsed < Pause) return false;
        _sinceDrawn.Restart();
        return true;
    }

    /// <summary>Lines that stay below whatever else is written to the console.</summary>
    private sealed class LiveBlock : IRenderHook, IDisposable
    {
        private readonly IAnsiConsole _console;
        private Func<int, IReadOnlyList<string>> _lines = _ => [];
        private int _drawn;

        public LiveBlock(IAnsiConsole console)
        {
            _console = console;
            _console.Pipeline.Attach(this);
            _console.Cursor.Hide();
        }

        /// <param name="lines">Markup for a width, without line breaks.</param>
        public void Show(Func<int, IReadOnlyList<string>> lines)
        {
            _lines = lines;
            _console.Write(new ControlCode(""));
        }

        /// <summary>What is drawn stays; the cursor goes below it.</summary>
        public void Dispose()
        {
            _console.Pipeline.Detach(this);
            _console.Cursor.Show();
        }

        /// <summary>Goes back over the block, lets what is to be written stand there, and draws the block anew below it.</summary>
        IEnumerable<IRenderable> IRenderHook.Process(RenderOptions options, IEnumerable<IRenderable> renderables)
        {
            List<IRenderable> all = [];
            if (_drawn > 0) all.Add(new ControlCode($"\r\e[{_drawn}A\e[0J"));
            all.AddRange(renderables);
            var lines = _lines(_console.Profile.Width - 1);
            all.AddRange(lines.Select(line => new Markup(line + "\n")));
            _drawn = lines.Count;
            return all;
        }
    }
}
