using System.Runtime.InteropServices;
using System.Text;

namespace LlmTune.Native;

/// <summary>What the NVIDIA driver says of its devices, asked by its own library (CUDA Driver API), whichever libtorch there is.</summary>
internal static unsafe class CudaDriver
{
    private const int AttributeMajor = 75, AttributeMinor = 76;   // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR

    /// <summary>The driver's version as it names itself (580.65.06); null where there is no driver.</summary>
    public static string? Version()
    {
        if (OperatingSystem.IsLinux())
            return File.Exists("/proc/driver/nvidia/version") ? ParseVersion(File.ReadAllText("/proc/driver/nvidia/version")) : null;
        return OperatingSystem.IsWindows() && NativeLibrary.TryLoad("nvcuda.dll", out _) ? "installed" : null;
    }

    /// <summary>The number in "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build …".</summary>
    internal static string ParseVersion(string text)
    {
        var match = System.Text.RegularExpressions.Regex.Match(text, @"\b\d{3,}\.\d+(\.\d+)?\b");
        return match.Success ? match.Value : "unknown";
    }

    public static IReadOnlyList<Gpu> Devices()
    {
        if (!NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out var library)) return [];
        var init = (delegate* unmanaged<uint, int>)NativeLibrary.GetExport(library, "cuInit");
        var count = (delegate* unmanaged<int*, int>)NativeLibrary.GetExport(library, "cuDeviceGetCount");
        var get = (delegate* unmanaged<int*, int, int>)NativeLibrary.GetExport(library, "cuDeviceGet");
        var name = (delegate* unmanaged<byte*, int, int, int>)NativeLibrary.GetExport(library, "cuDeviceGetName");
        var memory = (delegate* unmanaged<nuint*, int, int>)NativeLibrary.GetExport(library, "cuDeviceTotalMem_v2");
        var attribute = (delegate* unmanaged<int*, int, int, int>)NativeLibrary.GetExport(library, "cuDeviceGetAttribute");
        int devices;
        if (init(0) != 0 || count(&devices) != 0) return [];
        var found = new List<Gpu>();
        var text = stackalloc byte[256];
        for (var i = 0; i < devices; i++)
        {
            int device, major, minor;
            nuint bytes;
            if (get(&device, i) != 0 || name(text, 256, device) != 0 || memory(&bytes, device) != 0
                || attribute(&major, AttributeMajor, device) != 0 || attribute(&minor, AttributeMinor, device) != 0)
                continue;
            var deviceName = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
            found.Add(new Gpu(i, deviceName, (long)bytes, new Version(major, minor)));
        }
        return found;
    }
}

/// <summary>A CUDA device.</summary>
/// <param name="Memory">In bytes, all of it.</param>
/// <param name="Capability">8.0 and above computes in bfloat16.</param>
public sealed record Gpu(int Index, string Name, long Memory, Version Capability);
