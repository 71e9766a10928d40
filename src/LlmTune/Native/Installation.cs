using System.Reflection;
using System.Runtime.InteropServices;

namespace LlmTune.Native;

/// <summary>How this program is built and what it found when it loaded libtorch.</summary>
public sealed record Installation
{
    public required string Version { get; init; }

    public required string Runtime { get; init; }

    /// <summary>cpu, cuda-linux, cuda-windows or none, as the executable was built.</summary>
    public required string Backend { get; init; }

    /// <summary>Null if it could not be loaded; <see cref="Failure"/> then says why.</summary>
    public required LibtorchInfo? Libtorch { get; init; }

    public required string? Failure { get; init; }

    public required string? TorchSharp { get; init; }

    /// <summary>True where libtorch itself can compute on a GPU.</summary>
    public required bool CudaWorks { get; init; }

    /// <summary>How many threads libtorch computes with.</summary>
    public required int Threads { get; init; }

    /// <summary>The operators of <see cref="Dispatcher.Operators"/> for which TorchSharp's own stand in.</summary>
    public required IReadOnlyList<string> MissingOperators { get; init; }

    public required string WorkingFolder { get; init; }

    /// <summary>Bytes on the disk of the working folder.</summary>
    public required long FreeDisk { get; init; }

    public static Installation Examine()
    {
        LibtorchInfo? libtorch = null;
        string? failure = null;
        try
        {
            libtorch = Native.Libtorch.Load();
        }
        catch (Exception e) when (e is RequestException or DllNotFoundException or BadImageFormatException or IOException or UnauthorizedAccessException)
        {
            failure = e.Message;
        }
        var folder = Directory.GetCurrentDirectory();
        return new Installation
        {
            Version = typeof(Installation).Assembly.GetName().Version!.ToString(3),
            Runtime = RuntimeInformation.FrameworkDescription,
            Backend = BuiltBackend ?? "unknown",
            Libtorch = libtorch,
            Failure = failure,
            TorchSharp = typeof(torch).Assembly.GetName().Version?.ToString(3),
            CudaWorks = libtorch is not null && cuda.is_available(),
            Threads = libtorch is not null ? get_num_threads() : 0,
            MissingOperators = libtorch is null ? [] : [.. Dispatcher.Operators.Where(entry => !entry.Value).Select(entry => entry.Key)],
            WorkingFolder = folder,
            FreeDisk = new DriveInfo(folder).AvailableFreeSpace,
        };
    }

    /// <summary>The TorchBackend that the executable was built with; null of one that knows no such choice.</summary>
    internal static string? BuiltBackend =>
        Assembly.GetEntryAssembly()?.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(entry => entry.Key == "TorchBackend")?.Value;
}
