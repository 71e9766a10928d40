using System.Xml.Linq;
using LlmTune.Native;

namespace LlmTune.Tests.Native;

public sealed class LibtorchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Lib => _folder["torch/lib"];

    /// <summary>What a PyTorch installation looks like from outside.</summary>
    private void MakePyTorch(string version)
    {
        Directory.CreateDirectory(Lib);
        File.WriteAllText(Path.Combine(Lib, Libtorch.FileName("torch_cpu")), "");
        File.WriteAllText(_folder["torch/version.py"], $"from typing import Optional\n\n__version__ = '{version}'\ndebug = False\ncuda: Optional[str] = '13.0.1'\n");
    }

    private static string Error(Action load) => Assert.Throws<RequestException>(load).Message;

    [Theory]
    [InlineData("2.10.0")]
    [InlineData("2.11.0+cu130")]
    [InlineData("2.12.1+cpu")]
    public void A_PyTorch_of_the_right_version_is_taken(string version)
    {
        MakePyTorch(version);
        Assert.Equal(Lib, Libtorch.Choose(Lib, packaged: null));
        Assert.Equal(Lib, Libtorch.Choose(_folder["torch"], packaged: null));
    }

    [Theory]
    [InlineData("2.9.1+cpu", "2.9.1")]
    [InlineData("2.13.0+cu130", "2.13.0")]
    [InlineData("1.13.1", "1.13.1")]
    public void Another_version_is_refused_with_the_reason(string version, string name)
    {
        MakePyTorch(version);
        Assert.Equal(
            $"{Lib} is PyTorch {name}; LlmTune works with 2.10 to 2.12 (TorchSharp's native part reads tensors by the memory layout of these versions); "
            + "install one of them and set LLMTUNE_LIBTORCH to its lib folder, or build with -p:TorchBackend=cpu",
            Error(() => Libtorch.Choose(Lib, packaged: null)));
    }

    [Fact]
    public void The_version_of_a_libtorch_archive_is_read_too()
    {
        MakePyTorch("2.10.0");
        File.Move(_folder["torch/version.py"], _folder["torch/build-version"]);
        File.WriteAllText(_folder["torch/build-version"], "2.13.0+cpu\n");
        Assert.Contains("is PyTorch 2.13.0; ", Error(() => Libtorch.Choose(Lib, packaged: null)));
    }

    [Fact]
    public void A_folder_without_torch_is_refused()
    {
        Assert.Equal(
            $"LLMTUNE_LIBTORCH is set to {_folder.Path}, which has no {Libtorch.FileName("torch_cpu")}; "
            + "it must be the lib folder of libtorch or PyTorch (…/site-packages/torch/lib)",
            Error(() => Libtorch.Choose(_folder.Path, packaged: null)));
        Assert.Contains("which has no", Error(() => Libtorch.Choose(_folder["absent"], packaged: null)));
    }

    [Fact]
    public void A_build_that_carries_a_libtorch_refuses_another()
    {
        MakePyTorch("2.10.0");
        Assert.Equal(
            $"LLMTUNE_LIBTORCH is set to {Lib}, but this build carries its own libtorch (/app), and two copies in one process abort it; "
            + "unset the variable, or build without one: dotnet build -c Release -p:TorchBackend=none",
            Error(() => Libtorch.Choose(Lib, "/app")));
        Assert.Equal("/app", Libtorch.Choose(null, "/app"));
        Assert.Equal("/app", Libtorch.Choose("", "/app"));
    }

    [Fact]
    public void Without_any_libtorch_the_error_says_how_to_get_one() => Assert.Equal(
        "this build carries no libtorch (TorchBackend=none) and LLMTUNE_LIBTORCH is not set; set it to the lib folder of a PyTorch 2.10 to 2.12 installation "
        + "(…/site-packages/torch/lib), or build with -p:TorchBackend=cpu", Error(() => Libtorch.Choose(null, null)));

    [Fact]
    public void The_user_of_the_package_is_told_which_packages_to_add()
    {
        var props = XDocument.Load(Path.Combine(Repository.Root, "Directory.Packages.props"));
        string Version(string name) => props.Descendants(name).Single().Value;
        var (cpu, cuda) = OperatingSystem.IsWindows() ? ("win-x64", "windows") : OperatingSystem.IsMacOS() ? ("osx-arm64", "") : ("linux-x64", "linux");
        var gpu = cuda.Length == 0 ? "" : $"\n  dotnet add package TorchSharp-cuda-{cuda} --version {Version("TorchSharpVersion")}   # or: on an NVIDIA GPU";
        Assert.Equal(
            "this program carries no libtorch, and LLMTUNE_LIBTORCH is not set; add one to its project (the program's own, not that of a library):"
            + $"\n  dotnet add package libtorch-cpu-{cpu} --version {Version("LibTorchVersion")}   # computes on the CPU{gpu}"
            + "\nor set LLMTUNE_LIBTORCH to the lib folder of a PyTorch 2.10 to 2.12 installation (…/site-packages/torch/lib)",
            Error(() => Libtorch.Choose(null, null, isOurs: false)));
        MakePyTorch("2.10.0");
        Assert.Equal(Lib, Libtorch.Choose(Lib, null, isOurs: false));
        Assert.Equal("/app", Libtorch.Choose(null, "/app", isOurs: false));
    }

    [Theory]
    [InlineData("__version__ = '2.11.0+cu130'", "2.11.0")]
    [InlineData("2.12.0.dev20260101", "2.12.0")]
    [InlineData("nothing", null)]
    public void Versions_are_read_from_text(string text, string? version) => Assert.Equal(version, Libtorch.FirstVersion(text)?.ToString());

    [Theory]
    [InlineData("Unable to load shared library 'a.so' … the LD_DEBUG environment variable: \nlibgomp.so.1: cannot open\n", "libgomp.so.1: cannot open")]
    [InlineData("Unable to load DLL 'a.dll': not found. (0x8007007E)", "Unable to load DLL 'a.dll': not found. (0x8007007E)")]
    public void Of_a_failure_to_load_the_loader_s_own_words_are_shown(string message, string reason) => Assert.Equal(reason, Libtorch.Reason(message));

    [Fact]
    public void The_loaded_library_tells_its_version_and_functions()
    {
        Assert.Equal(2, Libtorch.Load().Version.Major);
        Assert.InRange(Libtorch.Load().Version.Minor, 10, 12);
        Assert.NotEqual(0, Libtorch.Export("aoti_torch_abi_version"));
        Assert.Equal(0, Libtorch.Export("no_such_function"));
    }
}
