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

    /// <summary>Bytes of a device that no process uses, and all; null where the driver does not say. It opens the device for this process.</summary>
    public static (long Free, long Total)? Memory(int index)
    {
        if (!TryLoad(out var library)) return null;
        var get = (delegate* unmanaged<int*, int, int>)NativeLibrary.GetExport(library, "cuDeviceGet");
        var retain = (delegate* unmanaged<nint*, int, int>)NativeLibrary.GetExport(library, "cuDevicePrimaryCtxRetain");
        var release = (delegate* unmanaged<int, int>)NativeLibrary.GetExport(library, "cuDevicePrimaryCtxRelease_v2");
        var push = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "cuCtxPushCurrent_v2");
        var pop = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(library, "cuCtxPopCurrent_v2");
        var memory = (delegate* unmanaged<nuint*, nuint*, int>)NativeLibrary.GetExport(library, "cuMemGetInfo_v2");
        int device;
        nint context, popped;
        if (get(&device, index) != 0 || retain(&context, device) != 0) return null;
        nuint free = 0, total = 0;
        var known = push(context) == 0;
        if (known)
        {
            known = memory(&free, &total) == 0;
            _ = pop(&popped);
        }
        _ = release(device);
        return known ? ((long)free, (long)total) : null;
    }

    public static IReadOnlyList<Gpu> Devices()
    {
        if (!TryLoad(out var library)) return [];
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

    private static bool TryLoad(out nint library) => NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out library);
}

/// <summary>A CUDA device.</summary>
/// <param name="Memory">In bytes, all of it.</param>
/// <param name="Capability">8.0 and above computes in bfloat16.</param>
public sealed record Gpu(int Index, string Name, long Memory, Version Capability);
