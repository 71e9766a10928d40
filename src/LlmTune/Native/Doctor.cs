using System.Globalization;

namespace LlmTune.Native;

/// <summary>How much a finding matters: nothing works (<see cref="Bad"/>), something is slow, small or missing (<see cref="Warn"/>).</summary>
public enum Health
{
    Ok,
    Warn,
    Bad,
}

/// <summary>One line of <c>llmtune doctor</c>.</summary>
/// <param name="Subject">What was looked at: one word.</param>
/// <param name="Text">What was found; of what is wrong, the cause.</param>
/// <param name="Cure">What to do about it.</param>
public sealed record Finding(Health Health, string Subject, string Text, string? Cure = null);

/// <summary>What is wrong with a machine or an installation, with cause and cure.</summary>
public static class Doctor
{
    private const long SmallDisk = 10L << 30, SmallMemory = 4L << 30;

    private static readonly Version OldestForBFloat16 = new(8, 0);

    public static IReadOnlyList<Finding> Examine(Machine machine, Installation installation) =>
    [
        new(Health.Ok, "llmtune", $"{installation.Version} on {installation.Runtime}, {machine.System}"),
        .. Backend(machine, installation),
        .. Operators(installation),
        .. Gpus(machine, installation),
        Cpu(machine),
        .. Threads(machine, installation),
        Memory(machine),
        Disk(installation),
        Unicode(machine),
    ];

    private static IEnumerable<Finding> Backend(Machine machine, Installation installation)
    {
        if (installation.Libtorch is not { } libtorch)
        {
            yield return new(Health.Bad, "libtorch", installation.Failure ?? "not loaded");   // the message has the cure
            yield break;
        }
        var origin = libtorch.Packaged ? $"carried by this build (TorchBackend={installation.Backend})" : $"named by {Libtorch.Variable}";
        yield return new(Health.Ok, "libtorch", $"{libtorch.Version} in {libtorch.Folder}, {origin}; TorchSharp {installation.TorchSharp}");
        if (libtorch.Weakened)
        {
            yield return new(
                Health.Ok, "libstdc++",
                "this system's is older than TorchSharp names (GLIBCXX_3.4.32); a private copy of LibTorchSharp that does without is in use");
        }
        var hasCuda = File.Exists(Path.Combine(libtorch.Folder, Libtorch.FileName("torch_cuda")));
        if (machine.NvidiaDriver is { } driver && !installation.CudaWorks) yield return IdleDriver(driver, hasCuda);
        if (machine.NvidiaDriver is null && hasCuda)
        {
            yield return new(
                Health.Warn, "cuda", "this libtorch is made for CUDA, but no NVIDIA driver is installed: the CPU is used",
                "install the driver, or build with -p:TorchBackend=cpu, which is much smaller");
        }
    }

    private static Finding IdleDriver(string driver, bool hasCuda) => hasCuda
        ? new(
            Health.Warn, "cuda",
            $"an NVIDIA driver ({driver}) is installed, but this libtorch finds no usable device: the driver is too old for its CUDA, "
            + "or the devices are hidden (CUDA_VISIBLE_DEVICES, a container without --gpus)",
            "run nvidia-smi; update the driver, or use a PyTorch made for an older CUDA")
        : new(
            Health.Warn, "cuda", $"an NVIDIA driver ({driver}) is installed, but this libtorch computes on the CPU only",
            $"build with -p:TorchBackend={(OperatingSystem.IsWindows() ? "cuda-windows" : "cuda-linux")}, "
            + $"or build with none and set {Libtorch.Variable} to a CUDA PyTorch's lib folder");

    private static IEnumerable<Finding> Operators(Installation installation)
    {
        if (installation.MissingOperators.Count > 0)
        {
            yield return new(
                Health.Warn, "operators", $"{string.Join(", ", installation.MissingOperators)} not found in this libtorch: slower ones stand in",
                "use the libtorch that this build can carry (TorchBackend=cpu or cuda-linux)");
        }
    }

    private static IEnumerable<Finding> Gpus(Machine machine, Installation installation)
    {
        foreach (var gpu in machine.Gpus)
        {
            var text = $"cuda:{gpu.Index} {gpu.Name}, {Gigabytes(gpu.Memory)}, compute capability {gpu.Capability}";
            yield return gpu.Capability < OldestForBFloat16 && installation.CudaWorks
                ? new(Health.Warn, "gpu", $"{text}: it has no bfloat16", "model.dtype: auto takes float32 there; float16 halves the memory")
                : new(Health.Ok, "gpu", text);
        }
        if (machine.Gpus.Count == 0) yield return new(Health.Ok, "gpu", "none: the CPU is used");
    }

    private static Finding Cpu(Machine machine)
    {
        var text = $"{machine.Cpu}, {machine.Cores} cores, {(machine.CpuFeatures.Count == 0 ? "no AVX2" : string.Join(" ", machine.CpuFeatures))}";
        return new(Health.Ok, "cpu", machine.HasFastBFloat16 ? text : $"{text}; bfloat16 is slow on it, float32 is not");
    }

    private static IEnumerable<Finding> Threads(Machine machine, Installation installation)
    {
        var (threads, cores) = (installation.Threads, machine.Cores);
        if (installation.Libtorch is null) yield break;
        if (threads <= cores)
        {
            yield return new(Health.Ok, "threads", $"{threads} of {cores} cores{(threads < cores ? " (OMP_NUM_THREADS sets it)" : "")}");
            yield break;
        }
        yield return new(
            Health.Warn, "threads",
            $"libtorch computes with {threads} threads on {cores} cores (it does not see a container's limit), which makes it slower",
            $"export OMP_NUM_THREADS={cores}");
    }

    private static Finding Memory(Machine machine)
    {
        var limited = machine.Memory < machine.InstalledMemory;
        var origin = limited ? $" of the machine's {Gigabytes(machine.InstalledMemory)} by a container's limit" : "";
        var text = $"{Gigabytes(machine.Memory)}{origin}, {Gigabytes(machine.FreeMemory)} free";
        if (machine.FreeMemory >= SmallMemory) return new(Health.Ok, "memory", text);
        return new(
            Health.Warn, "memory",
            $"{text}: a model of 0.5 billion parameters needs about {Gigabytes(SmallMemory)}; more than is free ends the process without a message",
            limited
                ? "raise the container's limit (docker run --memory, resources.limits.memory), or end other programs"
                : "end other programs, or use a smaller model");
    }

    private static Finding Disk(Installation installation)
    {
        var text = $"{Gigabytes(installation.FreeDisk)} free in {installation.WorkingFolder}";
        return installation.FreeDisk >= SmallDisk
            ? new(Health.Ok, "disk", text)
            : new(
                Health.Warn, "disk", $"{text}: a checkpoint of a full fine-tuning takes twelve times the parameters, in bytes",
                "free some, or write elsewhere (training.output_dir)");
    }

    private static Finding Unicode(Machine machine) => machine.UnicodeWorks
        ? new(Health.Ok, "unicode", "ICU normalises")
        : new(
            Health.Bad, "unicode",
            "Unicode normalisation does nothing (ICU is missing, or DOTNET_SYSTEM_GLOBALIZATION_INVARIANT is set): token ids would be wrong without notice",
            "install ICU (apt install libicu-dev, apk add icu-libs icu-data-full), and unset DOTNET_SYSTEM_GLOBALIZATION_INVARIANT");

    private static string Gigabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 30):F1} GiB");
}
