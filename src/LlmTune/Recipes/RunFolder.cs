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

    /// <summary>Where the run that this one replaces waits until this one is whole.</summary>
    private string Replaced => System.IO.Path.TrimEndingDirectorySeparator(Path) + ".replaced";

    /// <summary>Refuses, before anything is loaded, a folder that a run cannot be written to.</summary>
    /// <param name="force">Whether a run that is there may be replaced.</param>
    public static void RequireFree(RunConfig config, bool force)
    {
        var path = config.Training.OutputDir;
        if (Is(path) && !force)
            throw new RequestException($"{path} holds a run already; name another training.output_dir, or say --force to replace it");
        if (!Is(path) && Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new RequestException($"{path} is not empty and holds no run; name another training.output_dir");
        (string What, string? Path)[] read =
        [
            ("the model", config.Model.Path), ("the tokenizer", config.Model.Tokenizer), ("the chat template", config.Model.ChatTemplate),
            ("the adapter", (config.Adapter as LoraConfig)?.Path),
            .. config.Data.Sources.Concat(config.Data.Eval?.Sources ?? []).Select(source => ("the data", source.Path ?? source.Dir)),
        ];
        foreach (var (what, file) in read)
            if (file is not null && System.IO.Path.Exists(file) && Ended(file).StartsWith(Ended(path), StringComparison.Ordinal))
                throw new RequestException($"training.output_dir {path} is or holds {what} {file}, which is read from; name another folder");

        static string Ended(string folder) =>
            System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(folder)) + System.IO.Path.DirectorySeparatorChar;
    }

    /// <summary>Begins a run's folder. A run that it replaces is put aside until <see cref="Finish"/>.</summary>
    /// <param name="force">Replaces what a run has left there.</param>
    public static RunFolder Create(RunConfig config, bool force, JsonObject facts)
    {
        RequireFree(config, force);
        var path = config.Training.OutputDir;
        var replaced = new RunFolder(path).Replaced;
        if (Is(path))
        {
            if (Is(replaced)) Directory.Delete(replaced, recursive: true);
            Directory.Move(path, replaced);
        }
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

    /// <summary>This run is whole: the one that it replaces goes.</summary>
    public void Finish()
    {
        if (Is(Replaced)) Directory.Delete(Replaced, recursive: true);
    }

    /// <summary>Adds to run.json what is known at the end only.</summary>
    public void AddFact(string name, JsonNode value)
    {
        var file = System.IO.Path.Combine(Path, RecordName);
        var record = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        record[name] = value;
        AtomicFile.WriteText(file, record.ToJsonString(Indented) + "\n");
    }

    /// <summary>Whether rows that it trained on went through the chat template, by the formats that run.json names.</summary>
    public bool TrainedChats => JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(Path, RecordName)))?["data"] is JsonArray sources
        && sources.Any(source => source?["format"]?.ToString() is { } format && RunData.ChatFormats.Contains(format));

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
