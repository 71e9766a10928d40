using System.CommandLine;
using System.Globalization;
using LlmTune.Adapters;
using LlmTune.Cli.Terminal;
using LlmTune.Config;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Recipes;
using LlmTune.Recipes.OtherTools;
using LlmTune.Tokenization;
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
        method.OneOf(name => ConfigFile.OfValue<RunConfig>("method", name), [.. Methods.Keys]);
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
        var start = StartingPoint(model, method, session);
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(model.Replace('\\', '/')));
        var here = StarterFile.For(start.Model, name, data, method, start.Adapter);
        here = here with { Model = start.Settings(here.Model) };
        var fitted = Fitted(here, data, session);
        // What was read by its path from here is written by its path from the file.
        var written = fitted with
        {
            Model = fitted.Model with { Path = ModelPath(start.Model, folder) },
            Adapter = fitted.Adapter is LoraConfig { Path: { } adapter } lora ? lora with { Path = Relative(adapter, folder) } : fitted.Adapter,
            Data = fitted.Data with { Sources = [.. fitted.Data.Sources.Select(source => source with { Path = source.Path == "-" ? "-" : Relative(source.Path!, folder) })] },
        };
        Write(file, Text(Path.GetFileName(file), written), session);
        return 0;
    }

    /// <summary>What the user starts from.</summary>
    /// <param name="Model">Folder or hub id.</param>
    /// <param name="Adapter">The run whose adapter goes on being trained; null for a fresh one.</param>
    /// <param name="Settings">What of a run's own settings goes on to hold.</param>
    private sealed record Start(string Model, string? Adapter, Func<ModelConfig, ModelConfig> Settings);

    /// <summary>A model; or a run, whose model it is, or whose adapter and base.</summary>
    /// <exception cref="RequestException">A run with an adapter, and a method that has no use for one.</exception>
    private static Start StartingPoint(string model, StarterMethod method, Session session)
    {
        if (!RunFolder.Is(model)) return new Start(model, null, settings => settings);
        var run = RunFolder.Open(model);
        if (!run.IsFinished) throw new RequestException($"--model {model} is a run that has not finished: it has neither adapter nor model");
        if (RunFolder.ModelOf(model) is var whole && whole != model)
        {
            session.Log.Information("{Run} is a run; its model {Model} is trained on", model, whole);
            return new Start(whole, null, settings => settings);
        }
        var config = run.ReadConfig().Model;
        if (method != StarterMethod.Lora)
            throw new RequestException($"--model {model} is a run with an adapter, and --method {method.ToString().ToLowerInvariant()} trains whole models; "
                + $"merge it first: llmtune merge {model} --output {Path.TrimEndingDirectorySeparator(model)}-merged");
        session.Log.Information("{Run} is a run with an adapter on {Base}: that adapter is trained on. For a new one on top of it, merge first: llmtune merge {Run} --output {Merged}",
            model, config.Path, model, Path.TrimEndingDirectorySeparator(model) + "-merged");
        return new Start(config.Path, model, settings => settings with { Tokenizer = config.Tokenizer, ChatTemplate = config.ChatTemplate });
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

    /// <summary>The run as it fits data, model and this machine; what of them is not here is said.</summary>
    /// <param name="run">With paths from here.</param>
    /// <exception cref="RequestException">The data cannot be trained on.</exception>
    private static RunConfig Fitted(RunConfig run, IReadOnlyList<string> data, Session session)
    {
        if (data.Contains("-"))
        {
            session.Log.Information("The file is not fitted to the data, which the standard input brings at the time");
            return run;
        }
        if (Model(run, session) is not var (folder, tokenizer))
            return run with { Data = run.Data with { Sources = [.. run.Data.Sources.Select(source => StarterData.Describe(source, session.Log))] } };
        Libtorch.Load();
        var read = StarterData.Read(run, folder, tokenizer, session.Log, session.Interrupt.Token);
        var fit = StarterFit.Of(run, read, folder);
        Say(fit, read, session);
        return fit.Run;
    }

    /// <summary>The model and its tokenizer; null where one of them is not here, which is said.</summary>
    private static (ModelFolder, HfTokenizer)? Model(RunConfig run, Session session)
    {
        try
        {
            var folder = ModelFolder.Open(run.Model.Path);
            return (folder, HfTokenizer.Load(run.Model.Tokenizer is { } other ? HubCache.Resolve(other) : folder.Path));
        }
        catch (RequestException e)
        {
            session.Log.Warning("the file is not fitted to the model and to this machine's memory: {Problem}", e.Message);
            return null;
        }
    }

    private static void Say(StarterFit fit, StarterData data, Session session)
    {
        var (log, training) = (session.Log, fit.Run.Training);
        log.Information("{Documents:N0} documents of {Mean:N0} tokens on average, the longest {Longest:N0}{Measured}; {HeldOut}",
            data.Documents, data.Mean, data.Longest,
            data.IsWhole ? "" : string.Create(CultureInfo.InvariantCulture, $" (of the first {data.Lengths.Count:N0})"), fit.HeldOut == 0 ? "none is held out" : string.Create(CultureInfo.InvariantCulture, $"{fit.HeldOut:N0} held out"));
        log.Information("{Steps:N0} steps: {PerEpoch:N0} an epoch of {Step}, {Epochs} {EpochsWord}",
            fit.Steps, fit.StepsPerEpoch, StepOf(fit), training.NumTrainEpochs, training.NumTrainEpochs == 1 ? "epoch" : "epochs");
        log.Information("{Rows} {RowsWord} of up to {Length:N0} tokens at once: about {Needed} of {Free} that are free here",
            training.PerDeviceTrainBatchSize, training.PerDeviceTrainBatchSize == 1 ? "row" : "rows", fit.Run.Data.MaxLength, Sizes.Text(fit.Needed), Sizes.Text(fit.Free));
        if (fit.Needed > fit.Free)
            log.Warning("that is more than there is: {Advice}", fit.Run.Adapter is null ? "--method lora takes far less" : "a smaller model, or a smaller data.max_length");
        if (fit.TooLong > 0)
            log.Warning("{Share:P1} of the documents are longer than a row of {Length:N0} tokens and are left out; data.truncation: truncate cuts them", fit.TooLong, fit.Run.Data.MaxLength);
        if (fit.Steps < StarterFit.FewestSteps)
            log.Warning("{Steps:N0} steps teach little: the data is very small", fit.Steps);
    }

    private static string StepOf(StarterFit fit)
    {
        var rows = fit.Run.Training.PerDeviceTrainBatchSize * fit.Run.Training.GradientAccumulationSteps;
        var packed = fit.DocumentsPerStep > rows;
        var inRows = string.Create(CultureInfo.InvariantCulture, $"{rows} {(rows == 1 ? "row" : "rows")}");
        return fit.DocumentsPerStep == 0 ? inRows
            : string.Create(CultureInfo.InvariantCulture, $"{fit.DocumentsPerStep:N0} documents{(packed ? $" in {inRows}" : "")}");
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

    private static string ModelPath(string model, string folder) => LooksLikeFolder(model) || Directory.Exists(model) ? Relative(model, folder) : model;

    /// <summary>A path that was given on the command line, as it is written in a file of a folder.</summary>
    private static string Relative(string path, string folder) =>
        path.StartsWith('~') || Path.IsPathRooted(path) ? path : Path.GetRelativePath(folder, Path.GetFullPath(path)).Replace('\\', '/');
}
