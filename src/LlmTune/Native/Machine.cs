using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace LlmTune.Native;

/// <summary>What this machine has, as far as a process may use it.</summary>
public sealed record Machine
{
    public required string System { get; init; }

    public required string Cpu { get; init; }

    /// <summary>Those of avx2, avx512, avx512_bf16, amx that the processor has: without the last two bfloat16 is slow on it.</summary>
    public required IReadOnlyList<string> CpuFeatures { get; init; }

    /// <summary>Logical processors, limits of containers and affinity counted.</summary>
    public required int Cores { get; init; }

    /// <summary>Bytes of memory that are built in.</summary>
    public required long InstalledMemory { get; init; }

    /// <summary>Bytes a process may use: the machine's, or a container's limit.</summary>
    public required long Memory { get; init; }

    /// <summary>Bytes of that which are free now.</summary>
    public required long FreeMemory { get; init; }

    public required IReadOnlyList<Gpu> Gpus { get; init; }

    /// <summary>Null where no NVIDIA driver is installed.</summary>
    public required string? NvidiaDriver { get; init; }

    /// <summary>False where Normalize() does nothing: ICU is not installed, or switched off.</summary>
    public required bool UnicodeWorks { get; init; }

    /// <summary>True where a processor computes in bfloat16 rather than by way of float32.</summary>
    public bool HasFastBFloat16 => CpuFeatures.Contains("avx512_bf16") || CpuFeatures.Contains("amx");

    public static Machine Examine()
    {
        var (installed, free) = PhysicalMemory();
        var limit = Cgroup.Memory();
        var gpus = CudaDriver.Devices();
        return new Machine
        {
            System = $"{RuntimeInformation.OSDescription} {RuntimeInformation.OSArchitecture}",
            Cpu = CpuName(),
            CpuFeatures = [.. Features()],
            Cores = Environment.ProcessorCount,
            InstalledMemory = installed,
            Memory = Math.Min(installed, limit?.Limit ?? long.MaxValue),
            FreeMemory = Math.Min(free, limit is { } group ? Math.Max(0, group.Limit - group.Used) : long.MaxValue),
            Gpus = gpus,
            NvidiaDriver = CudaDriver.Version() ?? (gpus.Count > 0 ? "installed" : null),
            UnicodeWorks = Normalizes(),
        };
    }

    /// <summary>Both directions of the pair é, e + accent.</summary>
    internal static bool Normalizes()
    {
        try
        {
            return "e\u0301".Normalize(NormalizationForm.FormC) == "\u00E9" && "\u00E9".Normalize(NormalizationForm.FormD) == "e\u0301";
        }
        catch (Exception e) when (e is PlatformNotSupportedException or ArgumentException)
        {
            return false;
        }
    }

    /// <summary>MemTotal and MemAvailable, in bytes.</summary>
    internal static (long Installed, long Free) ParseMemInfo(string text)
    {
        long Of(string name) => text.Split('\n').FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.Ordinal)) is { } line
            ? long.Parse(line[(name.Length + 1)..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) * 1024
            : 0;
        return (Of("MemTotal"), Of("MemAvailable"));
    }

    private static (long Installed, long Free) PhysicalMemory()
    {
        if (OperatingSystem.IsLinux()) return ParseMemInfo(File.ReadAllText("/proc/meminfo"));
        GC.Collect(0);   // the figures are those of the last collection
        var memory = GC.GetGCMemoryInfo();
        return (memory.TotalAvailableMemoryBytes, memory.TotalAvailableMemoryBytes - memory.MemoryLoadBytes);
    }

    /// <summary>The processor's own 48 letters (CPUID leaves 0x80000002 to 4).</summary>
    private static string CpuName()
    {
        if (!X86Base.IsSupported) return RuntimeInformation.ProcessArchitecture.ToString();
        Span<int> words = stackalloc int[12];
        for (var leaf = 0; leaf < 3; leaf++)
            (words[4 * leaf], words[4 * leaf + 1], words[4 * leaf + 2], words[4 * leaf + 3]) = X86Base.CpuId(unchecked((int)0x80000002) + leaf, 0);
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes(words)).Trim('\0', ' ');
    }

    private static IEnumerable<string> Features()
    {
        if (Avx2.IsSupported) yield return "avx2";
        if (!Avx512F.IsSupported) yield break;
        yield return "avx512";
        if (X86Base.CpuId(0, 0).Eax < 7) yield break;
        var (leaves, _, _, edx) = X86Base.CpuId(7, 0);
        if (leaves >= 1 && (X86Base.CpuId(7, 1).Eax & 1 << 5) != 0) yield return "avx512_bf16";
        if ((edx & 1 << 24) != 0 && (edx & 1 << 22) != 0) yield return "amx";   // tiles, and their bfloat16
    }
}
