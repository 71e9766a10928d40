using System.CommandLine;
using System.Text.Json;
using LlmTune.Adapters;
using LlmTune.Cli.Terminal;
using LlmTune.Config;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Recipes;
using LlmTune.Recipes.OtherTools;
using LlmTune.Training;
using Spectre.Console;

namespace LlmTune.Cli.Commands;

/// <summary>A commented run file to start from.</summary>
internal static class InitCommand
{
    private const string SchemaFile = "llmtune.schema.json";

    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "run file to write", DefaultValueFactory = _ => "run.yaml" };
        var model = new Option<string>("--model") { Description = "model folder or hub id", HelpName = "path" };
        var data = new Option<string[]>("--data") { Description = "file to train on; may be given several times", HelpName = "file" };
        var method = new Option<string>("--method") { Description = "how to tune: lora", HelpName = "name", DefaultValueFactory = _ => "lora" };
        var from = new Option<string>("--from") { Description = "run file of LLaMA-Factory or axolotl to translate", HelpName = "file" };
        var force = new Option<bool>("--force") { Description = "overwrite the file if it is there" };
        method.OneOf("lora");
        var command = new Verb("init", "write a commented run file to start from",
            "init run.yaml --model models/Qwen2.5-0.5B-Instruct --data data/train.jsonl",
            "init run.yaml --from llama3_lora_sft.yaml",
            "init  # asks for what is missing")
        {
            file, model, data, method, from, force,
        };
        command.SetAction(args =>
        {
            var (target, session) = (args.GetValue(file)!, args.Session());
            RequireFree(target, args.GetValue(force));
            if (args.GetValue(from) is not { } theirs) return Run(target, args.GetValue(model), args.GetValue(data) ?? [], session);
            if (args.GetValue(model) is not null || args.GetValue(data) is { Length: > 0 })
                throw new RequestException("--from takes model and data from the file that it translates; change them in what it writes");
            return Translate(target, theirs, session);
        });
        return command;
    }

    private static void RequireFree(string file, bool force)
    {
        if (File.Exists(file) && !force) throw new RequestException($"{file} is there already; choose another name, or overwrite it by --force");
        if (Directory.Exists(file)) throw new RequestException($"{file} is a folder; name the run file to write in it");
    }

    private static int Translate(string file, string theirs, Session session)
    {
        var run = RunFile.Load(theirs);
        if (run.From is not { } translation) throw new RequestException($"{theirs} is a run file of ours already; llmtune train {theirs} runs it");
        session.Log.Information("{Report}\n", translation.Report());
        Write(file, TranslatedRun.Text(run, Path.GetFileName(file), Path.GetDirectoryName(Path.GetFullPath(file))!, SchemaFile), session);
        return 0;
    }

    private static int Run(string file, string? model, IReadOnlyList<string> data, Session session)
    {
        (model, data) = Ask(model, data, session.Screen);

        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        if (LooksLikeFolder(model) && !Directory.Exists(model)) session.Log.Warning("there is no folder {Model} yet", model);
        foreach (var source in data.Where(source => source != "-" && !source.Contains('*', StringComparison.Ordinal) && !Path.Exists(source)))
            session.Log.Warning("there is no file {Data} yet", source);

        Write(file, Text(Path.GetFileName(file), folder, model, data), session);
        return 0;
    }

    private static void Write(string file, string text, Session session)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        Directory.CreateDirectory(folder);
        File.WriteAllText(file, text);
        File.WriteAllText(Path.Join(folder, SchemaFile), ConfigFile.Schema<RunConfig>(SchemaCommand.Title));
        session.Log.Information("Wrote {File}, and {Schema} beside it, by which editors complete and check it", file, SchemaFile);
        session.Log.Information("Look it over, then: llmtune train {File}", file);
    }

    /// <summary>The run file; paths in it are relative to its folder.</summary>
    internal static string Text(string name, string folder, string model, IReadOnlyList<string> data)
    {
        var label = Path.GetFileName(Path.TrimEndingDirectorySeparator(model.Replace('\\', '/')));
        var run = new RunConfig
        {
            Model = new ModelConfig { Path = LooksLikeFolder(model) || Directory.Exists(model) ? Relative(model, folder) : model },
            Adapter = new LoraConfig(),
            Data = new DataConfig
            {
                Sources = [.. data.Select(path => new SourceConfig { Path = path == "-" ? path : Relative(path, folder) })],
                Eval = new EvalConfig { Fraction = 0.02 },
                MaxLength = Math.Min(2048, LongestOf(model) ?? 2048),
            },
            Training = new TrainingConfig { OutputDir = $"out/{label}-lora", LearningRate = 2e-4 },
        };
        return $"""
            # yaml-language-server: $schema={SchemaFile}
            #
            # LoRA fine-tuning of {label}.
            #
            #   llmtune train {name}
            #
            # Paths are relative to this file. Any setting can be changed for one run, those of training by their own name alone:
            #
            #   llmtune train {name} learning_rate=1e-4 adapter.r=8


            """.ReplaceLineEndings("\n") + ConfigFile.ToCommentedYaml(run);
    }

    private static (string Model, IReadOnlyList<string> Data) Ask(string? model, IReadOnlyList<string> data, Screen screen)
    {
        if (screen.CanAsk)
        {
            model ??= screen.People.Prompt(new TextPrompt<string>("Which [bold]model[/] (a folder, or a hub id)?"));
            if (data.Count == 0) data = [screen.People.Prompt(new TextPrompt<string>("Which [bold]data[/] (a json, jsonl or text file)?"))];
        }
        return (model, data.Count) switch
        {
            (null, 0) => throw new RequestException("--model and --data are needed where nobody can be asked"),
            (null, _) => throw new RequestException("--model is needed where nobody can be asked"),
            (_, 0) => throw new RequestException("--data is needed where nobody can be asked"),
            _ => (model, data),
        };
    }

    /// <summary>Anything but owner/name, which may be a hub id.</summary>
    private static bool LooksLikeFolder(string model) =>
        model.StartsWith('.') || model.StartsWith('~') || Path.IsPathRooted(model) || model.Count(c => c is '/' or '\\') != 1;

    /// <summary>A path that was given on the command line, as it is written in a file of a folder.</summary>
    private static string Relative(string path, string folder) =>
        path.StartsWith('~') || Path.IsPathRooted(path) ? path : Path.GetRelativePath(folder, Path.GetFullPath(path)).Replace('\\', '/');

    /// <summary>The number of positions that the model was made for, where its folder says so.</summary>
    private static int? LongestOf(string model)
    {
        try
        {
            using var config = JsonDocument.Parse(File.ReadAllText(Path.Join(model, "config.json")));
            var isThere = config.RootElement.TryGetProperty("max_position_embeddings", out var value);
            return isThere && value.TryGetInt32(out var longest) && longest > 1 ? longest : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
