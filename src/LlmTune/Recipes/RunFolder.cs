using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Config;
using LlmTune.Io;

namespace LlmTune.Recipes;

/// <summary>
/// What a training run leaves: run.json (the resolved configuration, versions, hashes), run.yaml (the same, to run again),
/// metrics.jsonl and a picture of its losses (loss.svg), the adapter or model with tokenizer and chat template, a model card. Other verbs
/// take this folder and nothing else.
/// </summary>
public sealed class RunFolder
{
    public const string RecordName = "run.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private RunFolder(string path) => Path = path;

    public string Path { get; }

    public string Adapter => System.IO.Path.Combine(Path, "adapter");

    public string Model => System.IO.Path.Combine(Path, "model");

    public string Metrics => System.IO.Path.Combine(Path, "metrics.jsonl");

    /// <summary>The losses as a picture; <see cref="LossPlot"/> draws it again from <see cref="Metrics"/>.</summary>
    public string Losses => System.IO.Path.Combine(Path, "loss.svg");

    public string Card => System.IO.Path.Combine(Path, "README.md");

    /// <summary>Whether a training run wrote this folder.</summary>
    public static bool Is(string path) => File.Exists(System.IO.Path.Combine(path, RecordName));

    public static RunFolder Open(string path) => new(path);

    /// <summary>Refuses, before anything is loaded, a folder that a run cannot be written to.</summary>
    /// <param name="force">Whether a run that is there may be replaced.</param>
    /// <param name="model">The model that the run reads, which must not be replaced with it.</param>
    public static void RequireFree(string path, bool force, string model)
    {
        if (Is(path) && !force)
            throw new RequestException($"{path} holds a run already; name another training.output_dir, or say --force to replace it");
        if (!Is(path) && Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new RequestException($"{path} is not empty and holds no run; name another training.output_dir");
        var (output, read) = (Ended(path), Ended(model));
        if (Directory.Exists(model) && read.StartsWith(output, StringComparison.Ordinal))
            throw new RequestException($"training.output_dir {path} is or holds the model {model}, which is read from; name another folder");

        static string Ended(string folder) =>
            System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(folder)) + System.IO.Path.DirectorySeparatorChar;
    }

    /// <summary>Begins a run's folder: it must not hold another one.</summary>
    /// <param name="force">Replaces what a run has left there.</param>
    public static RunFolder Create(string path, bool force, RunConfig config, JsonObject facts)
    {
        RequireFree(path, force, config.Model.Path);
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        Directory.CreateDirectory(path);
        var folder = new RunFolder(path);
        AtomicFile.WriteText(System.IO.Path.Combine(path, "run.yaml"), ConfigFile.ToYaml(config));
        var record = new JsonObject { ["config"] = JsonNode.Parse(ConfigFile.ToJson(config)) };
        foreach (var (key, value) in facts.ToArray())
        {
            facts.Remove(key);
            record[key] = value;
        }
        AtomicFile.WriteText(System.IO.Path.Combine(path, RecordName), record.ToJsonString(Indented) + "\n");
        return folder;
    }

    /// <summary>Adds to run.json what is known at the end only.</summary>
    public void AddFact(string name, JsonNode value)
    {
        var file = System.IO.Path.Combine(Path, RecordName);
        var record = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        record[name] = value;
        AtomicFile.WriteText(file, record.ToJsonString(Indented) + "\n");
    }

    /// <summary>The configuration that the run had.</summary>
    /// <exception cref="RunException">Damaged.</exception>
    public RunConfig ReadConfig()
    {
        var file = System.IO.Path.Combine(Path, "run.yaml");
        if (!File.Exists(file)) throw new RunException($"{Path} has {RecordName} but no run.yaml; it is damaged");
        return RunConfig.Load(file);
    }

    /// <summary>Whether the run has got so far as to write what it trained.</summary>
    public bool IsFinished => AdapterFolder.Is(Adapter) || File.Exists(System.IO.Path.Combine(Model, "config.json"));
}
