using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Config;
using LlmTune.Io;
using LlmTune.Models;

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

    private readonly bool _replaces;

    private RunFolder(string path, bool replaces = false) => (Path, _replaces) = (path, replaces);

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

    /// <summary>The model that a run of all weights has written; any other path as it is.</summary>
    public static string ModelOf(string path) =>
        Is(path) && File.Exists(System.IO.Path.Combine(Open(path).Model, "config.json")) ? Open(path).Model : path;

    /// <summary>The runs that wait beside this one for one to be whole, put aside by it or by earlier attempts.</summary>
    public IReadOnlyList<string> Replaced => ReplacedRuns.Of(Path);

    /// <summary>Refuses, before anything is loaded, a folder that a run cannot be written to.</summary>
    /// <param name="force">Whether a run that is there may be replaced.</param>
    public static void RequireFree(RunConfig config, bool force)
    {
        var path = config.Training.OutputDir;
        if (Is(path) && !force)
        {
            var before = ReplacedRuns.Of(path) is { Count: > 0 } waiting ? $" (what it was to replace is still in {ReplacedRuns.Say(waiting)})" : "";
            throw new RequestException($"{path} holds a run already{before}; name another training.output_dir, or say --force to replace it");
        }
        if (Is(path) && Open(path).IsGoingOn) throw new RequestException($"{path} holds a run that is going on; name another training.output_dir, or wait for it");
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

    /// <summary>
    /// Begins a run's folder, in one step: at any time the old run stands under its name, or the new one, or the old one is put aside and
    /// none does. What it replaces waits beside it until <see cref="Finish"/>, but for a run that has learnt nothing.
    /// </summary>
    /// <param name="force">Replaces what a run has left there.</param>
    /// <exception cref="RunException">The folder cannot be written or put aside.</exception>
    public static RunFolder Create(RunConfig config, bool force, JsonObject facts)
    {
        RequireFree(config, force);
        var path = config.Training.OutputDir;
        var record = new JsonObject { ["config"] = JsonNode.Parse(ConfigFile.ToJson(config)) };
        foreach (var (key, value) in facts.ToArray())
        {
            facts.Remove(key);
            record[key] = value;
        }
        // A folder that is there and empty may be one that cannot be renamed: a mounted disk.
        if (!Is(path) && Directory.Exists(path)) Fill(path);
        else Replace();
        return new RunFolder(path, force);

        void Fill(string folder)
        {
            AtomicFile.WriteText(System.IO.Path.Combine(folder, RecordName), record.ToJsonString(Indented) + "\n");
            AtomicFile.WriteText(System.IO.Path.Combine(folder, "run.yaml"), ConfigFile.ToYaml(config));
        }

        void Replace()
        {
            try
            {
                AtomicFolder.Write(path, force, Fill, aside: Is(path) && Open(path).HasLearnt ? ReplacedRuns.NextPlace(path) : null);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new RunException($"cannot begin a run in {path}, and what is there stays: {e.Message}; name another training.output_dir", e);
            }
        }
    }

    /// <summary>This run is whole: those that it replaces go.</summary>
    /// <returns>Those that went.</returns>
    public IReadOnlyList<string> Finish()
    {
        if (!_replaces) return [];
        var replaced = Replaced;
        foreach (var run in replaced) AtomicFolder.Delete(run);
        return replaced;
    }

    /// <summary>Adds to run.json what is known at the end only.</summary>
    public void AddFact(string name, JsonNode value)
    {
        var record = ReadRecord();
        record[name] = value;
        AtomicFile.WriteText(System.IO.Path.Combine(Path, RecordName), record.ToJsonString(Indented) + "\n");
    }

    /// <summary>What run.json holds.</summary>
    private JsonObject ReadRecord() => JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(Path, RecordName)))!.AsObject();

    /// <summary>The sources that it read, with their rows and how many of these were held out, by run.json; null where that does not say.</summary>
    public IReadOnlyList<(string Label, long Rows, int HeldOut)>? Data => ReadRecord()["data"] is not JsonArray sources ? null
        : [.. sources.Select(source => ($"{source?["label"]}", (long?)source?["rows"] ?? 0, (int?)source?["held_out"] ?? 0))];

    /// <summary>Whether rows that it trained on went through the chat template, by the formats that run.json names.</summary>
    public bool TrainedChats => ReadRecord()["data"] is JsonArray sources
        && sources.Any(source => source?["format"]?.ToString() is { } format && RunData.ChatFormats.Contains(format));

    /// <summary>The configuration that the run had.</summary>
    /// <exception cref="RunException">Damaged.</exception>
    public RunConfig ReadConfig()
    {
        var file = System.IO.Path.Combine(Path, "run.yaml");
        if (!File.Exists(file)) throw new RunException($"{Path} has {RecordName} but no run.yaml; it is damaged");
        return RunConfig.Load(file);
    }

    /// <summary>Whether the run has got so far as to write what it trained, with all that it needs to be used.</summary>
    public bool IsFinished => ModelFiles.HasTokenizer(Adapter) && AdapterFolder.IsWhole(Adapter)
        || ModelFiles.HasTokenizer(Model) && File.Exists(System.IO.Path.Combine(Model, "config.json"));

    /// <summary>Whether the run has left anything that it trained: all of that stands in folders.</summary>
    private bool HasLearnt => Directory.EnumerateDirectories(Path).Any(folder => !System.IO.Path.GetFileName(folder).StartsWith('.'));

    /// <summary>Whether a process is writing the run.</summary>
    private bool IsGoingOn
    {
        get
        {
            try
            {
                using var _ = new FileStream(Metrics, FileMode.Open, FileAccess.Read, FileShare.None);
                return false;
            }
            catch (Exception e) when (e is FileNotFoundException or UnauthorizedAccessException)
            {
                return false;
            }
            catch (IOException)
            {
                return true;   // the run holds it open
            }
        }
    }
}
