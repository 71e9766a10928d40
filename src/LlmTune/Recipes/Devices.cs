using System.Text.RegularExpressions;
using LlmTune.Models;
using LlmTune.Native;

namespace LlmTune.Recipes;

/// <summary>Where a run computes, and in which type.</summary>
public static partial class Devices
{
    /// <summary>Whether it is a name of a device, there or not.</summary>
    public static bool IsName(string name) => Name().IsMatch(name);

    /// <summary>auto, cpu, cuda or cuda:N; auto is cuda where it works.</summary>
    /// <exception cref="RequestException">It is none of them, or CUDA is asked for and not there.</exception>
    public static Device Of(string name)
    {
        Libtorch.Load();   // before TorchSharp looks for it, whose own words mislead
        if (!IsName(name)) throw new RequestException($"the device must be auto, cpu, cuda or cuda:N, got '{name}'");
        if (name == "cpu" || name == "auto" && !cuda.is_available()) return torch.device("cpu");
        if (name == "auto") return torch.device("cuda:0");
        if (!cuda.is_available())
            throw new RequestException($"device {name} is asked for, but no CUDA device works here; llmtune doctor says why, device: cpu runs without one");
        var index = name == "cuda" ? 0 : int.Parse(name["cuda:".Length..], System.Globalization.CultureInfo.InvariantCulture);
        if (index >= cuda.device_count()) throw new RequestException($"device {name} is asked for, but there are {cuda.device_count()} CUDA devices, counted from 0");
        return torch.device($"cuda:{index}");
    }

    public static ScalarType TypeOf(ModelDtype dtype, Device device) => dtype switch
    {
        ModelDtype.Float32 => ScalarType.Float32,
        ModelDtype.BFloat16 => ScalarType.BFloat16,
        ModelDtype.Float16 => ScalarType.Float16,
        _ => ModelFolder.DefaultType(device),
    };

    /// <summary>Bytes that are in use: of this process, or of a GPU by all processes.</summary>
    public static long MemoryInUse(Device device)
    {
        if (device.type != DeviceType.CUDA) return Environment.WorkingSet;
        var index = Math.Max(0, device.index);
        return CudaDriver.Memory(index) is { } memory ? memory.Total - memory.Free : 0;
    }

    [GeneratedRegex(@"^(auto|cpu|cuda(:[0-9]{1,3})?)\z")]
    private static partial Regex Name();
}
