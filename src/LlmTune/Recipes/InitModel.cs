using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Config;
using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Tokenization;

namespace LlmTune.Recipes;

/// <summary>A model of random weights to write.</summary>
public sealed record InitModelRequest
{
    /// <summary>A name among <see cref="NamedShapes"/>, or a config.json, or a folder with one.</summary>
    public required string Shape { get; init; }

    /// <summary>The model folder to write.</summary>
    public required string Output { get; init; }

    /// <summary>Another number of layers; null: as the shape has.</summary>
    public int? Layers { get; init; }

    /// <summary>The type to store; auto: as the shape says, else float32.</summary>
    public ModelDtype Dtype { get; init; }

    public long Seed { get; init; } = 42;

    /// <summary>Folder whose tokenizer is copied; null: none.</summary>
    public string? Tokenizer { get; init; }

    public long MaxShardBytes { get; init; } = SafetensorsWriter.DefaultShardBytes;

    /// <summary>Whether a folder that is there may be replaced.</summary>
    public bool Force { get; init; }
}

/// <summary>Random weights of a shape, for pretraining, tests and benchmarks. Tensors are drawn while they are written, one at a time.</summary>
public static class InitModel
{
    private const string ConfigName = "config.json";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <param name="onTensor">Hears how many numbers are written, and of how many.</param>
    /// <returns>What was written.</returns>
    public static ModelSpec Run(InitModelRequest request, Action<long, long>? onTensor = null)
    {
        var config = ReadConfig(request.Shape);
        if (request.Layers is { } layers) SetLayers(config, layers);
        if (request.Tokenizer is { } folder) Fit(config, HfTokenizer.Load(folder), grows: request.Shape == "tiny");
        AtomicFolder.RequireFree(request.Output, request.Force);
        ModelSpec spec = null!;
        AtomicFolder.Write(request.Output, request.Force, staged =>
        {
            var file = Path.Combine(staged, ConfigName);
            AtomicFile.WriteText(file, config.ToJsonString(Indented));
            spec = FamilyTable.Read(ConfigJson.Read(file));
            var type = request.Dtype == ModelDtype.Auto ? spec.StoredType ?? ScalarType.Float32 : Devices.TypeOf(request.Dtype, CPU);
            ModelWriter.SetType(config, type);
            AtomicFile.WriteText(file, config.ToJsonString(Indented) + "\n");

            WriteWeights(staged, spec, type, request, onTensor);
            if (request.Tokenizer is { } tokenizer) ModelFiles.CopyTokenizer(tokenizer, staged);
        });
        return spec;
    }

    private static void WriteWeights(string folder, ModelSpec spec, ScalarType type, InitModelRequest request, Action<long, long>? onTensor)
    {
        var shapes = Decoder.TensorShapes(spec).ToDictionary(tensor => tensor.Name, tensor => tensor.Shape, StringComparer.Ordinal);
        var random = new RandomWeights(CPU, type, _ => false, request.Seed, spec.InitializerRange);
        var (done, total) = (0L, spec.Parameters);
        SafetensorsWriter.WriteFolder(folder, [.. shapes.Select(tensor => (tensor.Key, tensor.Value, type))], name =>
        {
            var drawn = random.Draw(name, shapes[name]);
            onTensor?.Invoke(done += drawn.numel(), total);
            return drawn;
        }, request.MaxShardBytes);
    }

    private static JsonObject ReadConfig(string shape)
    {
        if (NamedShapes.Find(shape) is { } named) return named;
        var file = Directory.Exists(shape) ? Path.Combine(shape, ConfigName) : shape;
        if (!File.Exists(file))
            throw new RequestException(
                $"'{shape}' is neither the name of a shape ({string.Join(", ", NamedShapes.All.Keys)}) nor a config.json{Suggest.Hint(Suggest.Nearest(shape, NamedShapes.All.Keys))}");
        var config = JsonFile.Read(file);
        return config.ValueKind == JsonValueKind.Object ? JsonObject.Create(config)! : throw new RequestException($"{file} does not hold a JSON object");
    }

    /// <summary>Lists with an entry for each layer are cut, or go on with their last entry.</summary>
    private static void SetLayers(JsonObject config, int layers)
    {
        config["num_hidden_layers"] = layers;
        if (config["layer_types"] is not JsonArray { Count: > 0 } types) return;
        config["layer_types"] = new JsonArray([.. Enumerable.Range(0, layers).Select(layer => types[Math.Min(layer, types.Count - 1)]!.DeepClone())]);
    }

    /// <summary>The model must know every id of the tokenizer; special tokens are the tokenizer's.</summary>
    /// <param name="grows">Whether the vocabulary follows the tokenizer.</param>
    private static void Fit(JsonObject config, HfTokenizer tokenizer, bool grows)
    {
        var needed = tokenizer.VocabularySize;
        if (grows) config["vocab_size"] = needed;
        else if (config["vocab_size"]?.GetValue<int>() is { } size && size < needed)
            throw new RequestException($"the tokenizer in {tokenizer.Folder} has {needed} ids, the shape's vocab_size is {size}; take another tokenizer, or a config.json with a larger vocab_size");
        if (tokenizer.EosId is { } eos) config["eos_token_id"] = eos;
        if (tokenizer.BosId is { } bos) config["bos_token_id"] = bos;
    }
}
