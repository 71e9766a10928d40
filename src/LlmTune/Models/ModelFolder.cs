using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Native;

namespace LlmTune.Models;

/// <summary>A model in Hugging Face's form: config.json, safetensors, tokenizer files.</summary>
public sealed class ModelFolder
{
    private readonly bool _leavesOut;

    private ModelFolder(string path, ModelSpec spec, string name, bool leavesOut)
    {
        Path = path;
        Spec = spec;
        Name = name;
        _leavesOut = leavesOut;
    }

    public string Path { get; }

    /// <summary>What the user called it: a path, or a hub id.</summary>
    public string Name { get; }

    public ModelSpec Spec { get; }

    /// <summary>Reads the config of a folder, or of a hub id in the local Hugging Face cache.</summary>
    /// <param name="leaveOut">Whether tensors that the model has no use for are left out, where else they are an error.</param>
    /// <exception cref="RequestException">Not found, damaged, or of a kind that is not built.</exception>
    public static ModelFolder Open(string pathOrId, bool leaveOut = false)
    {
        var path = HubCache.Resolve(pathOrId);
        var config = System.IO.Path.Combine(path, "config.json");
        if (!File.Exists(config) && OtherForms.Describe(path) is { } other) throw new RequestException($"{config} is not there; a model folder holds config.json. The folder holds {other}");
        return new ModelFolder(path, FamilyTable.Read(ConfigJson.Read(config)), pathOrId, leaveOut);
    }

    /// <summary>Tensors of the folder that were left out when it was loaded.</summary>
    public IReadOnlyList<string> LeftOut { get; private set; } = [];

    /// <summary>The weights under the model's names, without building it; those that it has no use for only where they are not left out.</summary>
    internal SafetensorsFolder OpenWeights()
    {
        var weights = StoredNames.Open(Path, Spec);
        return _leavesOut ? weights.Only(Decoder.TensorShapes(Spec).Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal)) : weights;
    }

    /// <summary>Tokens that end a generation: generation_config.json's where it names some, else config.json's.</summary>
    public IReadOnlyList<int> GenerationEndTokens
    {
        get
        {
            var file = System.IO.Path.Combine(Path, "generation_config.json");
            var own = File.Exists(file) ? ConfigJson.Read(file).Integers("eos_token_id") : [];
            return own.Count > 0 ? own : Spec.EndTokens;
        }
    }

    /// <summary>
    /// The type to compute in if none is asked for: bfloat16 where the GPU has it, else float32 (a CPU multiplies bfloat16 several
    /// times slower).
    /// </summary>
    public static ScalarType DefaultType(Device device) =>
        device.type == DeviceType.CUDA && HasBFloat16(Math.Max(0, device.index)) ? ScalarType.BFloat16 : ScalarType.Float32;

    /// <summary>From compute capability 8.0 (Ampere) on; a GPU that the driver does not describe is taken to be a new one.</summary>
    private static bool HasBFloat16(int gpu) => CudaDriver.Devices().FirstOrDefault(found => found.Index == gpu) is not { } known || known.Capability.Major >= 8;

    /// <summary>Builds the model with random weights: only config.json is read.</summary>
    /// <param name="trainable">Which tensors receive gradients, by their names in a folder.</param>
    public Decoder Draw(Device device, ScalarType type, long seed, Func<string, bool>? trainable = null)
    {
        using var _ = no_grad();
        return new Decoder(Spec, new RandomWeights(device, type, trainable ?? (_ => false), seed, Spec.InitializerRange));
    }

    /// <summary>Builds the model on its device.</summary>
    /// <param name="trainable">Which tensors receive gradients, by their names in the folder.</param>
    public Decoder Load(Device device, ScalarType type, Func<string, bool>? trainable = null)
    {
        using var weights = new FolderWeights(Path, Spec, device, type, trainable ?? (_ => false));
        Decoder? decoder = null;
        try
        {
            using (no_grad()) decoder = new Decoder(Spec, weights);
            LeftOut = weights.Finish(_leavesOut);
            return decoder;
        }
        catch
        {
            decoder?.Dispose();
            throw;
        }
    }
}
