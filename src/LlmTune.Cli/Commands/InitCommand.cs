using System.CommandLine;
using LlmTune.Cli.Terminal;
using LlmTune.Config;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Recipes;
using LlmTune.Recipes.OtherTools;
using Spectre.Console;

namespace LlmTune.Cli.Commands;

/// <summary>A commented run file to start from.</summary>
internal static class InitCommand
{
    private const string SchemaFile = "llmtune.schema.json";

    private static readonly Dictionary<string, StarterMethod> Methods = new()
    {
        ["lora"] = StarterMethod.Lora,
        ["full"] = StarterMethod.Full,
        ["pretrain"] = StarterMethod.Pretrain,
    };

    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "run file to write", DefaultValueFactory = _ => "run.yaml" };
        var model = new Option<string>("--model") { Description = "model folder or hub id", HelpName = "path" };
        var data = new Option<string[]>("--data") { Description = "file to train on; may be given several times", HelpName = "file" };
        var method = new Option<string>("--method")
        {
            Description = "lora, full (every weight), or pretrain (from random weights)",
            HelpName = "name",
            DefaultValueFactory = _ => "lora",
        };
        var from = new Option<string>("--from") { Description = "run file of LLaMA-Factory, axolotl or torchtune to translate", HelpName = "file" };
        var force = new Option<bool>("--force") { Description = "overwrite the file if it is there" };
        method.OneOf([.. Methods.Keys]);
        var command = new Verb("init", "write a commented run file to start from",
            "init run.yaml --model models/Qwen2.5-0.5B-Instruct --data data/train.jsonl",
            "init full.yaml --method full --model Qwen/Qwen3-0.6B --data data/domain.jsonl --data data/general.jsonl",
            "init run.yaml --from llama3_lora_sft.yaml",
            "init  # asks for what is missing")
        {
            file, model, data, method, from, force,
        };
        command.SetAction(args =>
        {
            var (target, session) = (args.GetValue(file)!, args.Session());
            RequireFree(target, args.GetValue(force));
            if (args.GetValue(from) is not { } theirs)
                return Run(target, args.GetValue(model), args.GetValue(data) ?? [], Methods[args.GetValue(method)!], session);
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

    private static int Run(string file, string? model, IReadOnlyList<string> data, StarterMethod method, Session session)
    {
        (model, data) = Ask(model, data, session.Screen);

        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        foreach (var source in data.Where(source => source != "-" && !source.Contains('*', StringComparison.Ordinal) && !Path.Exists(source)))
            session.Log.Warning("there is no file {Data} yet", source);

        Write(file, Text(Path.GetFileName(file), Fitted(Run(folder, model, data, method), model, session)), session);
        return 0;
    }

    private static void Write(string file, string text, Session session)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        Directory.CreateDirectory(folder);
        File.WriteAllText(file, text);
        File.WriteAllText(Path.Join(folder, SchemaFile), ConfigFile.Schema<RunConfig>(SchemaCommand.Title));
        session.Log.Information("Wrote {File}, and {Schema} beside it, by which editors complete and check it", file, SchemaFile);
        session.Log.Information("Next: look it over, then llmtune preview {File} --check, and llmtune train {File}", ProgramPath.Quoted(file), ProgramPath.Quoted(file));
    }

    /// <summary>The run; paths in it are relative to the folder of its file.</summary>
    internal static RunConfig Run(string folder, string model, IEnumerable<string> data, StarterMethod method) => StarterFile.For(
        LooksLikeFolder(model) || Directory.Exists(model) ? Relative(model, folder) : model,
        Path.GetFileName(Path.TrimEndingDirectorySeparator(model.Replace('\\', '/'))),
        data.Select(path => path == "-" ? path : Relative(path, folder)),
        method);

    /// <summary>The run as it fits this machine; as it is where the model is not there yet.</summary>
    private static RunConfig Fitted(RunConfig run, string model, Session session)
    {
        ModelFolder found;
        try
        {
            found = ModelFolder.Open(model);
        }
        catch (RequestException e)
        {
            session.Log.Warning("the file is not fitted to the model and to this machine's memory: {Problem}", e.Message);
            return run;
        }
        Libtorch.Load();
        var (fitted, needed, free) = StarterFile.Fit(run, found);
        session.Log.Information("{Rows} rows of {Length:N0} tokens at once: about {Needed:F1} GB of {Free:F1} GB that are free here",
            fitted.Training.PerDeviceTrainBatchSize, fitted.Data.MaxLength, needed / 1e9, free / 1e9);
        if (needed > free)
            session.Log.Warning("that is more than there is: {Advice}", run.Adapter is null ? "--method lora takes far less" : "a smaller model, or a smaller data.max_length");
        return fitted;
    }

    internal static string Text(string name, RunConfig run) => $"""
        # yaml-language-server: $schema={SchemaFile}
        #
        # {(run.Adapter is not null ? "LoRA fine-tuning" : run.Model.Init == ModelInit.Random ? "Pretraining from random weights" : "Full fine-tuning")} of {run.Model.Path}.
        #
        #   llmtune train {name}
        #
        # Paths are relative to this file. Any setting can be changed for one run, those of training by their own name alone:
        #
        #   llmtune train {name} learning_rate=1e-4 data.max_length=1024


        """.ReplaceLineEndings("\n") + ConfigFile.ToCommentedYaml(run);

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
}
