using System.Text.Json.Nodes;
using LlmTune.Io;

namespace LlmTune.Models;

/// <summary>Writes a model as a folder in Hugging Face's form.</summary>
public static class ModelWriter
{
    /// <summary>Where config.json says the type: transformers 5's key and the older one.</summary>
    private static readonly string[] TypeKeys = ["dtype", "torch_dtype"];

    /// <summary>
    /// The weights in the type that they are held in, config.json with that type, and the other files of the folder that the model came
    /// from: generation_config.json, tokenizer, chat template.
    /// </summary>
    /// <param name="folder">The folder to write; another than that of the model.</param>
    /// <param name="tokenizer">Folder with the tokenizer, if it is not that of the model.</param>
    public static void Write(string folder, Decoder model, string from, string tokenizer, long maxShardBytes = SafetensorsWriter.DefaultShardBytes)
    {
        using var scope = NewDisposeScope();
        var tensors = model.Tensors.SelectMany(tensor => tensor.Views).ToList();
        var byName = tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.View, StringComparer.Ordinal);
        SafetensorsWriter.WriteFolder(
            folder, [.. tensors.Select(tensor => (tensor.Name, tensor.View.shape, tensor.View.dtype))], name => byName[name], maxShardBytes);
        ModelFiles.CopyBeside(from, tokenizer, folder);
        ModelFiles.WriteConfig(from, folder, config => SetType(config, model.Type));
    }

    /// <summary>Sets the type of the weights, by the keys that the config has for it.</summary>
    public static void SetType(JsonObject config, ScalarType type)
    {
        foreach (var key in TypeKeys.Where(config.ContainsKey).DefaultIfEmpty(TypeKeys[0]).ToArray()) config[key] = NameOf(type);
    }

    private static string NameOf(ScalarType type) => type.ToString().ToLowerInvariant();
}
