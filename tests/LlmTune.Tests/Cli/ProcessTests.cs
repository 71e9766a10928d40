using System.Diagnostics;
using LlmTune.Recipes;

namespace LlmTune.Tests.Cli;

/// <summary>The program as a process of its own: what signals do to it, and which files it takes its native code from.</summary>
public sealed class ProcessTests : IDisposable
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "llmtune.exe" : "llmtune");

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Process Start(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Whether a process was started with a signal ignored, which it inherits from whoever starts the tests.</summary>
    private static bool Ignores(Process process, string signal)
    {
        var status = $"/proc/{process.Id}/status";
        if (!File.Exists(status)) return false;   // not Linux
        var ignored = Convert.ToUInt64(File.ReadLines(status).Single(line => line.StartsWith("SigIgn:", StringComparison.Ordinal))[7..].Trim(), 16);
        return (ignored >> ((signal == "HUP" ? 1 : 15) - 1) & 1) != 0;
    }

    /// <summary>A terminal that closes says it twice; what was learnt is written all the same, as after SIGTERM.</summary>
    [Theory]
    [InlineData("HUP", "HUP")]
    [InlineData("TERM", "HUP")]
    public async Task A_closed_terminal_and_an_asked_for_end_save_what_was_learnt(params string[] signals)
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("signals are those of Unix");
        File.WriteAllLines(_folder["rows.jsonl"], Enumerable.Range(0, 80).Select(i => $$"""{"text": "Once upon a time, there was a girl who had {{i}} balls."}"""));
        File.WriteAllText(_folder["run.yaml"], $$"""
            device: cpu
            model: { path: {{RealModels.Stories}} }
            adapter: { r: 4 }
            data: { sources: [{ path: rows.jsonl }], max_length: 64 }
            training: { output_dir: run, max_steps: 100000 }
            """);
        using var process = Start(new Dictionary<string, string> { ["OMP_NUM_THREADS"] = "1" }, "train", _folder["run.yaml"], "--quiet");
        using var end = TestContext.Current.CancellationToken.Register(process.Kill);
        if (Ignores(process, signals[0]))
        {
            process.Kill();
            Assert.Skip($"the tests were started so that SIG{signals[0]} is ignored (nohup), and the program keeps to that");
        }
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var metrics = Path.Combine(_folder["run"], "metrics.jsonl");
        while (!process.HasExited && !(File.Exists(metrics) && new FileInfo(metrics).Length > 0)) await Task.Delay(20, TestContext.Current.CancellationToken);
        foreach (var signal in signals)
        {
            using var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]);
            await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var said = await errors;
        Assert.True(process.ExitCode == 130, said);
        Assert.Contains("interrupted: writing what has been learnt after this step", said, StringComparison.Ordinal);
        Assert.True(RunFolder.Open(_folder["run"]).IsFinished, said);
    }

    /// <summary>Where a home has no folder for data, and in folders that all may write to, nothing is taken, written or replaced.</summary>
    [Fact]
    public async Task Native_code_is_taken_from_no_folder_that_others_can_write_to()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("the copy is made on Linux");
        var library = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "libLibTorchSharp.so");
        if (!File.Exists(library)) Assert.Skip("LibTorchSharp of Linux is not beside the tests");
        var name = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(LlmTune.Native.WeakenedLibrary.Weakened(library)))[..16];
        string[] planted = [.. new[] { "tmp", "home/.local/share", "home" }.Select(root => _folder[$"{root}/llmtune/{name}/libLibTorchSharp.so"])];
        foreach (var file in planted)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, "somebody else's");
        }
        var before = _folder.Names.ToList();
        using var process = Start(
            new Dictionary<string, string> { ["HOME"] = _folder["home"], ["TMPDIR"] = _folder["tmp"], ["XDG_DATA_HOME"] = "", ["DOTNET_EnableDiagnostics"] = "0" }, "doctor");
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Matches("ok +libtorch ", output + await errors);
        Assert.Equal(before, _folder.Names);
        Assert.All(planted, file => Assert.Equal("somebody else's", File.ReadAllText(file)));
    }
}
