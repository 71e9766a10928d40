using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Tokenization;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>What RUN, ADAPTER or MODEL on a command line means: a base model, perhaps an adapter, a tokenizer, a template.</summary>
public sealed record ModelSource
{
    /// <summary>As the user named it.</summary>
    public required string Name { get; init; }

    /// <summary>Folder or hub id of the base model.</summary>
    public required string Base { get; init; }

    /// <summary>PEFT folder; null for a model alone.</summary>
    public string? Adapter { get; init; }

    /// <summary>Folder with the tokenizer.</summary>
    public required string Tokenizer { get; init; }

    public bool IsRun { get; init; }

    /// <summary>Whether it is a run that trained on conversations, so that it answers what comes through its chat template.</summary>
    public bool IsChat { get; init; }

    /// <summary>Of a run the model that it began with, in the run's tokens; null where that was random, and for all else.</summary>
    public ModelSource? Origin { get; init; }

    /// <summary>Whether tensors of the base that its model has no use for are left out.</summary>
    public bool LeavesOut { get; init; }

    /// <summary>The base's folder.</summary>
    public ModelFolder OpenBase() => ModelFolder.Open(Base, LeavesOut);

    /// <summary>Variables that the chat template sees: those of the run.</summary>
    public JsonObject Variables { get; init; } = [];

    /// <param name="baseModel">The base of an adapter whose config names none, or one that is not here.</param>
    /// <exception cref="RequestException">Nothing of the three.</exception>
    public static ModelSource Resolve(string path, string? baseModel = null)
    {
        if (RunFolder.Is(path)) return OfRun(path, baseModel);
        if (AdapterFolder.Is(path)) return OfAdapter(path, baseModel);
        if (baseModel is not null) throw new RequestException($"--base goes with an adapter; {path} is none");
        var folder = HubCache.Resolve(path);
        if (!File.Exists(Path.Combine(folder, "config.json")))
        {
            throw new RequestException(
                $"{path} is neither a run ({RunFolder.RecordName}), nor an adapter ({PeftConfig.FileName}), nor a model (config.json)"
                + (OtherForms.Describe(folder) is { } other ? $". It holds {other}" : ""));
        }
        return new ModelSource { Name = path, Base = path, Tokenizer = folder };
    }

    /// <summary>Several, side by side: the base is that of the adapters among them.</summary>
    /// <exception cref="RequestException">One is nothing of the three, or none has use for the base.</exception>
    public static IReadOnlyList<ModelSource> ResolveAll(IReadOnlyCollection<string> paths, string? baseModel)
    {
        bool TakesBase(string path) => RunFolder.Is(path) || AdapterFolder.Is(path);
        if (baseModel is not null && !paths.Any(TakesBase)) throw new RequestException($"--base goes with an adapter; there is none among {string.Join(", ", paths)}");
        return [.. paths.Select(path => Resolve(path, TakesBase(path) ? baseModel : null))];
    }

    /// <summary>Loads the model with its adapter switched on.</summary>
    /// <param name="log">Hears what is to be said about the folders; null: nothing is said.</param>
    public LoadedModel Load(Device device, ScalarType type, ILogger? log = null)
    {
        var folder = OpenBase();
        var model = folder.Load(device, type);
        log?.LeftOut(folder);
        AdapterSet? set = null;
        try
        {
            if (Adapter is not null)
            {
                set = AdapterFolder.Load(Adapter, model.Parts, device, trainable: false);
                set.Activate(model.Parts);
                foreach (var note in set.Notes) log?.Note(note);
            }
            var loaded = new LoadedModel(this, folder, model, set, HfTokenizer.Load(Tokenizer));
            loaded.Tokenizer.RequireEosWithin(loaded.Vocabulary);
            return loaded;
        }
        catch
        {
            set?.Dispose();
            model.Dispose();
            throw;
        }
    }

    private static ModelSource OfRun(string path, string? baseModel)
    {
        var run = RunFolder.Open(path);
        var config = run.ReadConfig();
        if (!run.IsFinished)
        {
            var before = run.Replaced is { Count: > 0 } waiting ? $"; what it was to replace is in {ReplacedRuns.Say(waiting)}" : "";
            throw new RequestException($"{path} holds a run that has not finished: it has neither adapter nor model{before}");
        }
        if (!AdapterFolder.Is(run.Adapter))
        {
            var began = config.Model;
            var origin = began.Init == ModelInit.Random
                ? null
                : new ModelSource { Name = began.Path, Base = began.Path, Tokenizer = run.Model, LeavesOut = began.IgnoreUnexpectedTensors, Variables = config.TemplateVariables };
            return new ModelSource { Name = path, Base = run.Model, Tokenizer = run.Model, IsRun = true, IsChat = run.TrainedChats, Origin = origin, Variables = config.TemplateVariables };
        }
        var named = baseModel ?? config.Model.Path;
        RequireHere(named, $"{path} was trained on {named}");
        return new ModelSource
        {
            Name = path,
            Base = named,
            Adapter = run.Adapter,
            Tokenizer = run.Adapter,
            IsRun = true,
            IsChat = run.TrainedChats,
            Origin = new ModelSource { Name = named, Base = named, Tokenizer = run.Adapter, LeavesOut = config.Model.IgnoreUnexpectedTensors, Variables = config.TemplateVariables },
            LeavesOut = config.Model.IgnoreUnexpectedTensors,
            Variables = config.TemplateVariables,
        };
    }

    private static ModelSource OfAdapter(string path, string? baseModel)
    {
        var named = baseModel ?? BaseOf(path);
        if (named is null)
        {
            _ = PeftConfig.Read(path);   // what is no adapter of PEFT's says that first
            throw new RequestException($"{path} names no base model (base_model_name_or_path); say --base MODEL");
        }
        // A relative path of an adapter's config counts from where it was trained, or from its own folder.
        var beside = Path.GetFullPath(Path.Combine(path, named));
        var found = baseModel is null && !Directory.Exists(named) && Directory.Exists(beside) ? beside : named;
        var folder = RequireHere(found, $"{path} is an adapter for {named}");
        var tokenizer = HfTokenizer.IsIn(path) ? path : folder;
        return new ModelSource { Name = path, Base = found, Adapter = path, Tokenizer = tokenizer };
    }

    /// <returns>The folder of a base.</returns>
    private static string RequireHere(string model, string what)
    {
        try
        {
            return HubCache.Resolve(model);
        }
        catch (RequestException e)
        {
            throw new RequestException($"{what}, which is not here: {e.Message}; or say --base MODEL", e);
        }
    }

    /// <summary>What an adapter's config calls its base; null if it calls it nothing.</summary>
    /// <exception cref="RequestException">The config is not JSON.</exception>
    internal static string? BaseOf(string folder)
    {
        try
        {
            var name = PeftConfig.Parse(Path.Combine(folder, PeftConfig.FileName))["base_model_name_or_path"];
            return name?.GetValueKind() == JsonValueKind.String && name.GetValue<string>() is { } text && !string.IsNullOrWhiteSpace(text) ? text : null;
        }
        catch (RequestException)
        {
            return null;   // reading the whole config says what is wrong with it
        }
    }
}

/// <summary>A model in memory, with what belongs to it.</summary>
public sealed record LoadedModel(ModelSource Source, ModelFolder Folder, Decoder Model, AdapterSet? Adapters, HfTokenizer Tokenizer) : IDisposable
{
    /// <summary>What makes text of conversations; null where the model has nothing of the kind.</summary>
    public ChatTemplate? Template { get; } = ChatTemplate.For(Tokenizer, Tokenizer.Folder, variables: Source.Variables);

    /// <summary>How many tokens it knows: the base's, or those that its adapter was made for.</summary>
    public int Vocabulary { get; } = (int)Model.Embedding.Table.Value.shape[0];

    /// <summary>Tokens that end an answer: the tokenizer's end token, and those of generation_config.json beside the adapter, of the model, or of config.json.</summary>
    public IReadOnlyList<int> EndTokens =>
    [
        .. new[] { Tokenizer.EosId }.OfType<int>()
            .Concat(Source.Adapter is { } adapter && ModelFiles.ReadGeneration(adapter) is { } generation ? SpecialTokenIds.Ends(generation) : [])
            .Concat(Folder.GenerationEndTokens)
            .Distinct(),
    ];

    /// <exception cref="RequestException">A token of the prompt is beyond what the model knows.</exception>
    public void RequireKnown(IEnumerable<int> ids)
    {
        if (ids.Where(id => id >= Vocabulary).Distinct().ToList() is { Count: > 0 } unknown)
        {
            throw new RequestException(
                $"the prompt holds {string.Join(", ", unknown.Select(id => $"{Tokenizer.Token(id)} (id {id})"))}, and the model knows {Vocabulary} ids; "
                + "the tokenizer's files add tokens that the model was never resized for");
        }
    }

    public void Dispose()
    {
        Adapters?.Dispose();
        Model.Dispose();
    }
}
