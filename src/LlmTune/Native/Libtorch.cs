using System.Reflection;
using System.Runtime.InteropServices;

namespace LlmTune.Native;

/// <summary>
/// Loads libtorch by absolute path before TorchSharp is touched: from <c>LLMTUNE_LIBTORCH</c> if set, else from the files the
/// executable carries. Two copies of libtorch in one process abort it, so a build that carries one refuses the variable.
/// </summary>
public static class Libtorch
{
    public const string Variable = "LLMTUNE_LIBTORCH";

    /// <summary>LibTorchSharp reads TensorImpl's fields inline; their offsets are the same from 2.10 to 2.12 and moved in 2.13.</summary>
    internal static readonly Version Oldest = new(2, 10), Newest = new(2, 12);

    /// <summary>What a library is taken for that does not tell its version: an older one.</summary>
    private static readonly Version Unknown = new(0, 0, 0);

    private static readonly Lock Gate = new();
    private static LibtorchInfo? _info;
    private static nint _torch, _torchSharp;

    /// <summary>What was loaded; null before <see cref="Load"/>.</summary>
    public static LibtorchInfo? Info => _info;

    /// <summary>Loads the native libraries once; later calls return what the first one found.</summary>
    /// <exception cref="RequestException">Nothing to load, a wrong version, or a folder given to a build that carries its own.</exception>
    public static LibtorchInfo Load()
    {
        lock (Gate)
            return _info ??= LoadOnce(Environment.GetEnvironmentVariable(Variable));
    }

    /// <summary>A function of libtorch itself; zero if this version has none of that name.</summary>
    internal static nint Export(string name)
    {
        Load();
        return NativeLibrary.TryGetExport(_torch, name, out var function) ? function : 0;
    }

    /// <summary>A function of TorchSharp's native part.</summary>
    internal static nint TorchSharpExport(string name)
    {
        Load();
        return NativeLibrary.GetExport(_torchSharp, name);
    }

    private static LibtorchInfo LoadOnce(string? named)
    {
        var packaged = Path.GetDirectoryName(Find(FileName("torch_cpu")));
        var folder = Choose(named, packaged, Installation.BuiltBackend is not null);

        // The caching allocator fragments badly under sequences of changing length; this must be in libc's environment before libtorch loads.
        if (Environment.GetEnvironmentVariable("PYTORCH_CUDA_ALLOC_CONF") is null)   // the older name
            NativeEnvironment.SetDefault("PYTORCH_ALLOC_CONF", "expandable_segments:True");

        // OpenMP's threads spin while they wait for each other, which stands still where something else has their processors: see LOG.md.
        if (OperatingSystem.IsLinux() && Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null)   // else the user has said it
            NativeEnvironment.SetDefault("GOMP_SPINCOUNT", "2000");

        var version = LoadTorch(folder);
        var torchSharp = Find(FileName("LibTorchSharp"))
            ?? throw new RequestException(
                $"{FileName("LibTorchSharp")} is not beside the program in {AppContext.BaseDirectory}; build or publish again "
                + "(it comes with the package TorchSharp)");
        var weakened = LoadTorchSharp(torchSharp);
        return new LibtorchInfo(folder, version, packaged is not null, weakened);
    }

    /// <summary>The folder to load from: the one that is named, or the one that the executable carries.</summary>
    /// <param name="named">The variable's value.</param>
    /// <param name="isOurs">Whether the executable chooses its libtorch by TorchBackend; that of a user of the library has a package instead.</param>
    internal static string Choose(string? named, string? packaged, bool isOurs = true)
    {
        if (!string.IsNullOrEmpty(named))
        {
            return packaged is null ? CheckedFolder(named) : throw new RequestException(
                $"{Variable} is set to {named}, but this build carries its own libtorch ({packaged}), and two copies in one process abort it; "
                + "unset the variable, or build without one: dotnet build -c Release -p:TorchBackend=none");
        }
        return packaged ?? throw new RequestException(isOurs
            ? $"this build carries no libtorch (TorchBackend=none) and {Variable} is not set; set it to the lib folder of a PyTorch "
            + $"{Oldest} to {Newest} installation (…/site-packages/torch/lib), or build with -p:TorchBackend=cpu"
            : $"this program carries no libtorch, and {Variable} is not set; add one to its project (the program's own, not that of a library):"
            + string.Concat(Packages().Select(package => $"\n  dotnet add package {package.Name} --version {package.Version}   # {package.Use}"))
            + $"\nor set {Variable} to the lib folder of a PyTorch {Oldest} to {Newest} installation (…/site-packages/torch/lib)");
    }

    /// <summary>The packages with a libtorch for this system.</summary>
    private static IEnumerable<(string Name, string Version, string Use)> Packages()
    {
        var assembly = typeof(Libtorch).Assembly;
        string Version(string of) => assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(entry => entry.Key == of).Value!;
        var (cpu, cuda) = OperatingSystem.IsWindows() ? ("win-x64", "windows") : OperatingSystem.IsMacOS() ? ("osx-arm64", null) : ("linux-x64", "linux");
        yield return ($"libtorch-cpu-{cpu}", Version("LibTorchVersion"), "computes on the CPU");
        if (cuda is not null) yield return ($"TorchSharp-cuda-{cuda}", Version("TorchSharpVersion"), "or: on an NVIDIA GPU");
    }

    private static string CheckedFolder(string folder)
    {
        var full = Path.GetFullPath(folder);
        // Also of use: the folder above lib, in which PyTorch and the libtorch archives have it.
        if (!File.Exists(Path.Combine(full, FileName("torch_cpu")))) full = Path.Combine(full, "lib");
        if (!File.Exists(Path.Combine(full, FileName("torch_cpu"))))
        {
            throw new RequestException(
                $"{Variable} is set to {folder}, which has no {FileName("torch_cpu")}; "
                + "it must be the lib folder of libtorch or PyTorch (…/site-packages/torch/lib)");
        }
        // Before anything is loaded: version.py lies beside lib in a PyTorch installation, build-version in a libtorch archive.
        var parent = Path.GetDirectoryName(full)!;
        foreach (var file in new[] { Path.Combine(parent, "version.py"), Path.Combine(parent, "build-version") })
        {
            if (File.Exists(file) && FirstVersion(File.ReadAllText(file)) is { } version) CheckVersion(version.ToString(3), version, full);
        }
        return full;
    }

    internal static Version? FirstVersion(string text)
    {
        var match = System.Text.RegularExpressions.Regex.Match(text, @"\b(\d+)\.(\d+)\.(\d+)");
        return match.Success ? Version.Parse(match.Value) : null;
    }

    internal static void CheckVersion(string name, Version version, string folder)
    {
        if (new Version(version.Major, version.Minor) is var minor && (minor < Oldest || minor > Newest))
        {
            throw new RequestException(
                $"{folder} is PyTorch {name}; LlmTune works with {Oldest} to {Newest} "
                + "(TorchSharp's native part reads tensors by the memory layout of these versions); install one of them and set "
                + $"{Variable} to its lib folder, or build with -p:TorchBackend=cpu");
        }
    }

    private static Version LoadTorch(string folder)
    {
        foreach (var gomp in Directory.EnumerateFiles(folder, "libgomp*.so*")) NativeLibrary.TryLoad(gomp, out _);
        LoadFile(folder, "c10");
        _torch = LoadFile(folder, "torch_cpu");
        var version = AbiVersion(_torch);
        CheckVersion(version == Unknown ? $"older than {Oldest}" : version.ToString(3), version, folder);
        // libtorch_cuda must be there before anything asks about CUDA, else CUDA stays off for the process.
        if (File.Exists(Path.Combine(folder, FileName("torch_cuda"))))
        {
            LoadFile(folder, "c10_cuda");
            LoadFile(folder, "torch_cuda");
        }
        LoadFile(folder, "torch");
        return version;
    }

    private static nint LoadFile(string folder, string name)
    {
        var path = Path.Combine(folder, FileName(name));
        try
        {
            return NativeLibrary.Load(path);
        }
        catch (DllNotFoundException e)
        {
            throw new RequestException(
                $"cannot load {path}: {Reason(e.Message)}; the installation is not whole, or a library it needs is missing "
                + $"(ldd {path} names it): install it again", e);
        }
    }

    /// <summary>What the system's loader says stands last, after .NET's general advice.</summary>
    internal static string Reason(string message) => message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[^1];

    /// <summary>Major, minor and patch in the three highest bytes.</summary>
    private static unsafe Version AbiVersion(nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "aoti_torch_abi_version", out var function)) return Unknown;
        var packed = ((delegate* unmanaged<ulong>)function)();
        return new Version((int)(packed >> 56), (int)(packed >> 48 & 0xFF), (int)(packed >> 40 & 0xFF));
    }

    /// <summary>True if the library had to be loaded from a copy that tolerates an older libstdc++.</summary>
    private static bool LoadTorchSharp(string path)
    {
        if (NativeLibrary.TryLoad(path, out _torchSharp)) return false;
        if (!OperatingSystem.IsLinux()) _ = NativeLibrary.Load(path);   // says why
        _torchSharp = WeakenedLibrary.Load(path);   // TorchSharp's own load then finds it by its SONAME
        return true;
    }

    internal static string FileName(string name) =>
        OperatingSystem.IsWindows() ? $"{name}.dll" : OperatingSystem.IsMacOS() ? $"lib{name}.dylib" : $"lib{name}.so";

    /// <summary>A native file that the executable carries: beside it (published for one platform) or under runtimes/.</summary>
    private static string? Find(string file)
    {
        var rid = (OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux")
            + (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "-arm64" : "-x64");
        string[] places = [AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes", rid, "native")];
        return places.Select(place => Path.Combine(place, file)).FirstOrDefault(File.Exists);
    }
}

/// <summary>Which libtorch is loaded.</summary>
/// <param name="Folder">Where it was loaded from.</param>
/// <param name="Version">Its own version.</param>
/// <param name="Packaged">True if the executable carries it, false if <see cref="Libtorch.Variable"/> names it.</param>
/// <param name="Weakened">True if LibTorchSharp was loaded from a copy made for an older libstdc++.</param>
public sealed record LibtorchInfo(string Folder, Version Version, bool Packaged, bool Weakened);
