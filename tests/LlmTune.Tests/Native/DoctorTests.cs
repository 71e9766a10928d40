using LlmTune.Native;

namespace LlmTune.Tests.Native;

public sealed class DoctorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static readonly Machine Sound = new()
    {
        System = "Debian 12 X64",
        Cpu = "Xeon",
        CpuFeatures = ["avx2", "avx512", "amx"],
        Cores = 8,
        InstalledMemory = 64L << 30,
        Memory = 64L << 30,
        FreeMemory = 32L << 30,
        Gpus = [],
        NvidiaDriver = null,
        UnicodeWorks = true,
    };

    private static readonly Machine WithGpu = Sound with { NvidiaDriver = "580.65.06", Gpus = [new Gpu(0, "NVIDIA H100", 80L << 30, new Version(9, 0))] };

    private Installation Healthy => new()
    {
        Version = "0.1.0",
        Runtime = ".NET 10.0.1",
        Backend = "cpu",
        Libtorch = new LibtorchInfo(_folder.Path, new Version(2, 10, 0), Packaged: true, Weakened: false),
        Failure = null,
        TorchSharp = "0.107.0",
        CudaWorks = false,
        Threads = 8,
        MissingOperators = [],
        WorkingFolder = "/data",
        FreeDisk = 100L << 30,
    };

    private void MakeCuda() => File.WriteAllText(_folder[Libtorch.FileName("torch_cuda")], "");

    private static Finding[] Wrong(Machine machine, Installation installation) =>
        [.. Doctor.Examine(machine, installation).Where(finding => finding.Health != Health.Ok)];

    [Fact]
    public void A_sound_machine_has_nothing_wrong()
    {
        Assert.Equal(
            [
                new(Health.Ok, "llmtune", "0.1.0 on .NET 10.0.1, Debian 12 X64"),
                new(Health.Ok, "libtorch", $"2.10.0 in {_folder.Path}, carried by this build (TorchBackend=cpu); TorchSharp 0.107.0"),
                new(Health.Ok, "gpu", "none: the CPU is used"),
                new(Health.Ok, "cpu", "Xeon, 8 cores, avx2 avx512 amx"),
                new(Health.Ok, "threads", "8 of 8 cores"),
                new(Health.Ok, "memory", "64.0 GiB, 32.0 GiB free"),
                new(Health.Ok, "disk", "100.0 GiB free in /data"),
                new(Health.Ok, "unicode", "ICU normalises"),
            ],
            Doctor.Examine(Sound, Healthy));
        MakeCuda();
        Assert.Empty(Wrong(WithGpu, Healthy with { Backend = "cuda-linux", CudaWorks = true }));
        Assert.Contains(new(Health.Ok, "gpu", "cuda:0 NVIDIA H100, 80.0 GiB, compute capability 9.0"), Doctor.Examine(WithGpu, Healthy with { CudaWorks = true }));
    }

    [Fact]
    public void A_libtorch_that_does_not_load_is_bad_and_says_why()
    {
        var wrong = Assert.Single(Wrong(Sound, Healthy with { Libtorch = null, Failure = "/torch/lib is PyTorch 2.13.0; …", Threads = 0 }));
        Assert.Equal(new(Health.Bad, "libtorch", "/torch/lib is PyTorch 2.13.0; …"), wrong);
    }

    [Fact]
    public void A_named_libtorch_and_a_weakened_copy_are_said()
    {
        var findings = Doctor.Examine(Sound, Healthy with { Libtorch = new LibtorchInfo("/torch/lib", new Version(2, 11, 0), Packaged: false, Weakened: true) });
        Assert.Equal("2.11.0 in /torch/lib, named by LLMTUNE_LIBTORCH; TorchSharp 0.107.0", findings[1].Text);
        Assert.Equal(
            (Health.Ok, "libstdc++", "this system's is older than TorchSharp names (GLIBCXX_3.4.32); a private copy of LibTorchSharp that does without is in use"),
            (findings[2].Health, findings[2].Subject, findings[2].Text));
    }

    [Fact]
    public void A_driver_with_a_libtorch_for_the_CPU_is_told_how_to_use_it()
    {
        var wrong = Assert.Single(Wrong(WithGpu, Healthy));
        Assert.Equal((Health.Warn, "cuda"), (wrong.Health, wrong.Subject));
        Assert.Equal("an NVIDIA driver (580.65.06) is installed, but this libtorch computes on the CPU only", wrong.Text);
        Assert.Matches("^build with -p:TorchBackend=cuda-(linux|windows), or build with none and set LLMTUNE_LIBTORCH to a CUDA PyTorch's lib folder$", wrong.Cure);
    }

    [Fact]
    public void A_CUDA_libtorch_that_finds_no_device_is_told_why()
    {
        MakeCuda();
        var wrong = Assert.Single(Wrong(WithGpu, Healthy));
        Assert.Contains("but this libtorch finds no usable device: the driver is too old for its CUDA, or the devices are hidden", wrong.Text);
        wrong = Assert.Single(Wrong(Sound, Healthy));
        Assert.Equal("this libtorch is made for CUDA, but no NVIDIA driver is installed: the CPU is used", wrong.Text);
    }

    [Fact]
    public void A_device_without_bfloat16_is_named()
    {
        MakeCuda();
        var wrong = Assert.Single(Wrong(WithGpu with { Gpus = [new Gpu(0, "Tesla T4", 15L << 30, new Version(7, 5))] }, Healthy with { CudaWorks = true }));
        Assert.Equal("cuda:0 Tesla T4, 15.0 GiB, compute capability 7.5: it has no bfloat16", wrong.Text);
    }

    [Fact]
    public void More_threads_than_cores_are_named()
    {
        var wrong = Assert.Single(Wrong(Sound with { Cores = 2 }, Healthy));
        Assert.Equal("libtorch computes with 8 threads on 2 cores (it does not see a container's limit), which makes it slower", wrong.Text);
        Assert.Equal("export OMP_NUM_THREADS=2", wrong.Cure);
        Assert.Contains(new(Health.Ok, "threads", "4 of 8 cores (OMP_NUM_THREADS sets it)"), Doctor.Examine(Sound, Healthy with { Threads = 4 }));
    }

    [Fact]
    public void A_container_with_less_memory_than_the_machine_is_said()
    {
        var limited = Sound with { Memory = 8L << 30, FreeMemory = 6L << 30 };
        Assert.Contains(new(Health.Ok, "memory", "8.0 GiB of the machine's 64.0 GiB by a container's limit, 6.0 GiB free"), Doctor.Examine(limited, Healthy));
        var wrong = Assert.Single(Wrong(limited with { FreeMemory = 1L << 30 }, Healthy));
        Assert.StartsWith("8.0 GiB of the machine's 64.0 GiB by a container's limit, 1.0 GiB free: a model of 0.5 billion parameters needs about 4.0 GiB", wrong.Text);
        Assert.StartsWith("raise the container's limit", wrong.Cure);
        Assert.Equal("end other programs, or use a smaller model", Assert.Single(Wrong(Sound with { FreeMemory = 1L << 30 }, Healthy)).Cure);
    }

    [Fact]
    public void A_full_disk_missing_ICU_and_missing_operators_are_said()
    {
        Assert.StartsWith("2.0 GiB free in /data: ", Assert.Single(Wrong(Sound, Healthy with { FreeDisk = 2L << 30 })).Text);
        var unicode = Assert.Single(Wrong(Sound with { UnicodeWorks = false }, Healthy));
        Assert.Equal((Health.Bad, "unicode"), (unicode.Health, unicode.Subject));
        Assert.StartsWith("install ICU (apt install libicu-dev", unicode.Cure);
        Assert.Equal("rms_norm not found in this libtorch: slower ones stand in", Assert.Single(Wrong(Sound, Healthy with { MissingOperators = ["rms_norm"] })).Text);
    }

    [Fact]
    public void This_installation_works()
    {
        var installation = Installation.Examine();
        Assert.Null(installation.Failure);
        Assert.Equal("0.107.0", installation.TorchSharp);
        Assert.Contains(installation.Backend, (string[])["cpu", "cuda-linux", "cuda-windows", "none"]);
        Assert.Empty(installation.MissingOperators);
        Assert.True(installation.FreeDisk > 0);
        Assert.DoesNotContain(Doctor.Examine(Machine.Examine(), installation), finding => finding.Health == Health.Bad);
    }
}
