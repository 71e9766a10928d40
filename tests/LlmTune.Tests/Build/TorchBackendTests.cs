using System.Diagnostics;
using System.Text.Json;

namespace LlmTune.Tests.Build;

/// <summary>Which native package each value of TorchBackend names: MSBuild is asked for the references, nothing is restored.</summary>
public sealed class TorchBackendTests
{
    private const string Cli = "src/LlmTune.Cli/LlmTune.Cli.csproj";

    private static string Cpu => OperatingSystem.IsWindows() ? "libtorch-cpu-win-x64" : OperatingSystem.IsMacOS() ? "libtorch-cpu-osx-arm64" : "libtorch-cpu-linux-x64";

    [Theory]
    [InlineData("cpu")]
    [InlineData("auto", "NvidiaDriver=false")]
    public void The_CPU_backend_is_libtorch_of_this_platform_alone(params string[] settings) => Assert.Equal([Cpu], Native(Cli, settings));

    [Theory]
    [InlineData("cuda-linux", "TorchSharp-cuda-linux")]
    [InlineData("cuda-windows", "TorchSharp-cuda-windows")]
    public void A_CUDA_backend_is_TorchSharp_s_package(string backend, string package) => Assert.Equal([package], Native(Cli, backend));

    [Theory]
    [InlineData("true")]
    [InlineData("True")]
    public void Auto_takes_CUDA_where_there_is_a_driver(string driver)
    {
        var expected = OperatingSystem.IsWindows() ? "TorchSharp-cuda-windows" : OperatingSystem.IsMacOS() ? Cpu : "TorchSharp-cuda-linux";
        Assert.Equal([expected], Native(Cli, "auto", $"NvidiaDriver={driver}"));
    }

    [Fact]
    public void Auto_is_the_default_and_looks_for_the_driver()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("the driver is looked for in /proc");
        Assert.Equal([Directory.Exists("/proc/driver/nvidia") ? "TorchSharp-cuda-linux" : Cpu], Native(Cli));
    }

    [Fact]
    public void None_names_nothing() => Assert.Empty(Native(Cli, "none"));

    [Fact]
    public void The_library_never_carries_a_backend() => Assert.Empty(Native("src/LlmTune/LlmTune.csproj", "cuda-linux"));

    [Theory]
    [InlineData("gpu")]
    [InlineData("CPU ")]
    public void Another_value_is_refused_with_the_values_that_are_known(string backend)
    {
        var (exitCode, output) = MsBuild(Cli, $"-p:TorchBackend={backend}", "-t:CheckTorchBackend");
        Assert.NotEqual(0, exitCode);
        Assert.Contains($"error : TorchBackend is '{backend}'; expected auto, cpu, cuda-linux, cuda-windows or none (dotnet build -p:TorchBackend=cpu)", output);
    }

    /// <summary>The check stands before restore, so that a wrong value is not a build without a backend.</summary>
    [Fact]
    public void A_wrong_value_stops_the_restore()
    {
        var (exitCode, output) = MsBuild(Cli, "-p:TorchBackend=gpu", "-t:CollectPackageReferences");
        Assert.NotEqual(0, exitCode);
        Assert.Contains("error : TorchBackend is 'gpu'", output);
    }

    /// <summary>The packages of a project that bring native code of torch.</summary>
    /// <param name="settings">The backend, then other properties.</param>
    private static string[] Native(string project, params string[] settings)
    {
        var properties = settings.Select((setting, i) => i == 0 ? $"-p:TorchBackend={setting}" : $"-p:{setting}");
        var (exitCode, output) = MsBuild(project, [.. properties, "-getItem:PackageReference"]);
        Assert.True(exitCode == 0, output);
        using var json = JsonDocument.Parse(output);
        return [.. json.RootElement.GetProperty("Items").GetProperty("PackageReference").EnumerateArray()
            .Select(item => item.GetProperty("Identity").GetString()!)
            .Where(name => name.Contains("torch", StringComparison.OrdinalIgnoreCase) && name != "TorchSharp")];
    }

    private static (int ExitCode, string Output) MsBuild(string project, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", ["msbuild", Path.Combine(Repository.Root, project), "-nologo", "-nodeReuse:false", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Repository.Root,
        };
        // What a dotnet test above this process has set for its own MSBuild.
        foreach (var name in start.Environment.Keys.ToList())
        {
            if (name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || name is "TorchBackend" or "NvidiaDriver") start.Environment.Remove(name);
        }
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}
