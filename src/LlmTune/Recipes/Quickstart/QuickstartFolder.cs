using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Io;

namespace LlmTune.Recipes.Quickstart;

/// <summary>Where everything of a quickstart lies. The folder is replaced by the next one, but only if a quickstart has made it.</summary>
public sealed class QuickstartFolder
{
    /// <summary>Says that a quickstart made the folder.</summary>
    public const string MarkName = "quickstart.json";

    private QuickstartFolder(string path) => Path = path;

    public string Path { get; }

    public string Data => In("data");

    /// <summary>General text, to pretrain on.</summary>
    public string Texts => In("data", "text.jsonl");

    /// <summary>General conversations, to pretrain on.</summary>
    public string Chats => In("data", "chats.jsonl");

    /// <summary>The task: questions and their SQL.</summary>
    public string Questions => In("data", "questions.jsonl");

    /// <summary>Questions about tables that are not among <see cref="Questions"/>.</summary>
    public string HeldOut => In("data", "held-out.jsonl");

    public string Tokenizer => In("tokenizer");

    /// <summary>The shape of the model: a config.json.</summary>
    public string Shape => In("shape.json");

    /// <summary>The model before it has learnt anything.</summary>
    public string Untrained => In("untrained");

    public string PretrainFile => In("pretrain.yaml");

    public string LoraFile => In("lora.yaml");

    /// <summary>The pretraining run.</summary>
    public string Base => In("base");

    /// <summary>The run that makes the adapter.</summary>
    public string Lora => In("lora");

    public string Merged => In("merged");

    public string Evaluation => In("evaluation.json");

    /// <summary>The commands, to be run one by one or as a script.</summary>
    public string Commands => In("commands.sh");

    /// <summary>Begins a folder: an earlier quickstart's is replaced, whatever else is refused.</summary>
    /// <exception cref="RequestException">The folder holds something that no quickstart has made.</exception>
    public static QuickstartFolder Begin(string path, long seed, bool fast)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(path);
        var folder = new QuickstartFolder(path);
        if (File.Exists(path)) throw new RequestException($"{path} is a file; name another folder with --keep");
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
        {
            if (!IsQuickstart(folder.In(MarkName)))
                throw new RequestException(
                    $"{path} is not empty and no quickstart has made it, so it is left alone; name another folder with --keep");
            Directory.Delete(path, recursive: true);
        }
        Directory.CreateDirectory(folder.Data);
        var mark = new JsonObject { ["made_by"] = "llmtune quickstart", ["seed"] = seed, ["fast"] = fast };
        AtomicFile.WriteText(folder.In(MarkName), mark.ToJsonString() + "\n");
        return folder;
    }

    /// <summary>A path as it is typed in the current folder.</summary>
    public static string Shown(string path)
    {
        var shown = path.Replace('\\', '/');
        return shown.Contains(' ', StringComparison.Ordinal) ? $"\"{shown}\"" : shown;
    }

    private string In(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    private static bool IsQuickstart(string mark)
    {
        if (!File.Exists(mark)) return false;
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(mark));
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("made_by", out var by)
                && by.ValueKind == JsonValueKind.String && by.GetString() == "llmtune quickstart";
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
