using LlmTune.Models;

namespace LlmTune.Recipes;

/// <summary>Where a run computes, and in which type.</summary>
public static class Devices
{
    /// <summary>auto, cpu, cuda or cuda:N; auto is cuda where it works.</summary>
    /// <exception cref="RequestException">CUDA is asked for and not there.</exception>
    public static Device Of(string name)
    {
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
}
