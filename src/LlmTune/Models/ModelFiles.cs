using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Io;

namespace LlmTune.Models;

/// <summary>The files of a model folder beside its weights.</summary>
public static class ModelFiles
{
    private static readonly string[] WeightEndings = [".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".onnx", ".index.json"];

    /// <summary>What belongs to tokenizer and chat template.</summary>
    private static readonly string[] TokenizerFiles =
    [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model", "vocab.json", "merges.txt",
        "chat_template.jinja", "chat_template.json",
    ];

    private const string GenerationName = "generation_config.json";

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Copies everything but weights, config.json and the model card, with the tokenizer of another folder where that is not the same.</summary>
    public static void CopyBeside(string from, string tokenizer, string to)
    {
        var isOwn = Path.GetFullPath(tokenizer) == Path.GetFullPath(from);
        foreach (var file in Directory.EnumerateFiles(from))
        {
            var name = Path.GetFileName(file);
            if (name is "config.json" or "README.md" || name.StartsWith('.') || WeightEndings.Any(ending => name.EndsWith(ending, StringComparison.Ordinal))) continue;
            if (isOwn || !TokenizerFiles.Contains(name)) Copy(file, Path.Combine(to, name));
        }
        if (isOwn) CopyTemplates(from, to);
        else CopyTokenizer(tokenizer, to);
    }

    /// <summary>Whether the folder holds a tokenizer.</summary>
    public static bool HasTokenizer(string folder) => File.Exists(Path.Combine(folder, "tokenizer.json")) || File.Exists(Path.Combine(folder, "tokenizer.model"));

    /// <summary>Copies tokenizer and chat templates.</summary>
    public static void CopyTokenizer(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var name in TokenizerFiles)
            if (File.Exists(Path.Combine(from, name))) Copy(Path.Combine(from, name), Path.Combine(to, name));
        CopyTemplates(from, to);
    }

    /// <summary>Writes config.json as it is in another folder, with changes.</summary>
    public static void WriteConfig(string from, string to, Action<JsonObject> change)
    {
        var config = ReadConfig(from);
        change(config);
        WriteConfig(to, config);
    }

    /// <summary>config.json of a folder.</summary>
    public static JsonObject ReadConfig(string folder) => Read(Path.Combine(folder, "config.json"));

    public static void WriteConfig(string folder, JsonObject config) => Write(Path.Combine(folder, "config.json"), config);

    /// <summary>generation_config.json of a folder; null where there is none.</summary>
    public static JsonObject? ReadGeneration(string folder)
    {
        var file = Path.Combine(folder, GenerationName);
        return File.Exists(file) ? Read(file) : null;
    }

    public static void WriteGeneration(string folder, JsonObject generation) => Write(Path.Combine(folder, GenerationName), generation);

    internal static JsonObject Read(string file) => JsonObject.Create(JsonFile.Read(file))!;

    internal static void Write(string file, JsonObject content) => AtomicFile.WriteText(file, content.ToJsonString(Readable) + "\n");

    private static void CopyTemplates(string from, string to)
    {
        var folder = Path.Combine(from, "additional_chat_templates");
        if (!Directory.Exists(folder)) return;
        Directory.CreateDirectory(Path.Combine(to, "additional_chat_templates"));
        foreach (var file in Directory.EnumerateFiles(folder)) Copy(file, Path.Combine(to, "additional_chat_templates", Path.GetFileName(file)));
    }

    /// <summary>The content alone: a folder that is read-only must not make a read-only copy.</summary>
    private static void Copy(string from, string to) => AtomicFile.WriteBytes(to, File.ReadAllBytes(from));
}
