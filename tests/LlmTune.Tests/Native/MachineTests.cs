using LlmTune.Native;

namespace LlmTune.Tests.Native;

public sealed class MachineTests
{
    [Fact]
    public void This_machine_is_described()
    {
        var machine = Machine.Examine();
        Assert.NotEmpty(machine.Cpu);
        Assert.InRange(machine.Cores, 1, 4096);
        Assert.InRange(machine.Memory, 1 << 28, machine.InstalledMemory);
        Assert.InRange(machine.FreeMemory, 1, machine.Memory);
        if (machine.NvidiaDriver is null) Assert.Empty(machine.Gpus);
        if (cuda.is_available()) Assert.NotEmpty(machine.Gpus);
        Assert.True(machine.UnicodeWorks, "the tests themselves need ICU");
    }

    [Fact]
    public void Processor_features_agree_with_the_system_s()
    {
        if (!OperatingSystem.IsLinux() || !System.Runtime.Intrinsics.X86.X86Base.IsSupported) Assert.Skip("reads /proc/cpuinfo");
        var lines = File.ReadAllLines("/proc/cpuinfo");
        var flags = lines.First(line => line.StartsWith("flags", StringComparison.Ordinal)).Split(' ');
        var features = Machine.Examine().CpuFeatures;
        Assert.Equal(flags.Contains("avx2"), features.Contains("avx2"));
        Assert.Equal(flags.Contains("avx512f"), features.Contains("avx512"));
        Assert.Equal(flags.Contains("avx512_bf16"), features.Contains("avx512_bf16"));
        Assert.Equal(flags.Contains("amx_bf16"), features.Contains("amx"));
        var name = Machine.Examine().Cpu;
        Assert.NotEqual("", name.Trim());
        if (flags.Contains("hypervisor")) return;   // a sandbox in a virtual machine may show another name than the processor's own
        Assert.Contains(name, lines.First(line => line.StartsWith("model name", StringComparison.Ordinal)));
    }

    [Fact]
    public void Memory_is_read_in_bytes() =>
        Assert.Equal((16L << 30, 4096), Machine.ParseMemInfo("MemTotal:       16777216 kB\nMemFree:          1000 kB\nMemAvailable:          4 kB\n"));

    [Theory]
    [InlineData("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22-I3-AE18-09-6)\nGCC version:  gcc version 12.3.0", "580.65.06")]
    [InlineData("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.256.02  Thu May  2 14:37:44 UTC 2024", "470.256.02")]
    [InlineData("", "unknown")]
    public void The_driver_s_version_is_read(string text, string version) => Assert.Equal(version, CudaDriver.ParseVersion(text));
}
