using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Tokenization;
using LlmTune.Training;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>
/// What a run will do, known before any weight is read: the shape of the model, what of it trains, the data as documents and rows,
/// the steps, and the memory that they take.
/// </summary>
public sealed class RunPlan : IDisposable
{
    private readonly RunMemory _memory;

    private RunPlan(RunConfig config, RunMemory memory, ModelFolder folder, Device device, HfTokenizer tokenizer, ChatTemplate? template, Corpus corpus)
    {
        (Config, _memory, Folder, Device, Tokenizer, Template, Corpus) = (config, memory, folder, device, tokenizer, template, corpus);
        Type = Devices.TypeOf(config.Model.Dtype, device);
        Shape = new BatchShape(config.Training.PerDeviceTrainBatchSize, config.Training.GradientAccumulationSteps);
        Batches = new Batches(corpus, Shape, config.Training.DataSeed);
        Steps = config.Training.MaxSteps > 0 ? config.Training.MaxSteps : Batches.Steps(config.Training.NumTrainEpochs);
    }

    public RunConfig Config { get; }

    public ModelFolder Folder { get; }

    public Device Device { get; }

    /// <summary>What the model is held and computed in.</summary>
    public ScalarType Type { get; }

    public HfTokenizer Tokenizer { get; }

    /// <summary>Null where the model has none.</summary>
    public ChatTemplate? Template { get; }

    public Corpus Corpus { get; }

    public BatchShape Shape { get; }

    public Batches Batches { get; }

    /// <summary>Optimizer steps of the whole run.</summary>
    public int Steps { get; }

    /// <summary>What the data may be too small for.</summary>
    public IEnumerable<string> Warnings => DataOutlook.Warnings(Config, Corpus, Batches.Plan, Steps, Batches.Plan.Steps(Shape.RowsPerStep));

    /// <summary>Reads everything but the weights.</summary>
    /// <param name="onProgress">Hears how far reading and tokenizing has come.</param>
    /// <exception cref="RequestException">The run cannot be as it is asked for.</exception>
    public static RunPlan Make(RunConfig config, ILogger log, IProgress<DataProgress>? onProgress = null, CancellationToken cancel = default)
    {
        config = config.Resolved();
        var device = Devices.Of(config.Device);
        RequireModel(config.Model.Path);
        var folder = ModelFolder.Open(config.Model.Path, config.Model.IgnoreUnexpectedTensors);
        var memory = new RunMemory(config, folder, device);
        if (config.Adapter is LoraConfig { Path: null }) memory.CountTrainable();   // what names no module is said before the data is read
        var tokenizer = RunData.Tokenizer(config, folder);
        tokenizer.RequireEosWithin(RunData.Vocabulary(config, folder));
        var template = ChatTemplate.For(tokenizer, tokenizer.Folder, config.Model.ChatTemplate, config.TemplateVariables);
        log.Information("Model {Model}: {Family}, {Parameters:N0} parameters, {Layers} layers, on {Device} in {Type}{Drawn}",
            folder.Name, folder.Spec.Family, folder.Spec.Parameters, folder.Spec.Blocks.Count, device,
            Devices.TypeOf(config.Model.Dtype, device).ToString().ToLowerInvariant(),
            config.Model.Init == ModelInit.Random ? ", with random weights" : "");

        if (device.type == DeviceType.CPU && Devices.TypeOf(config.Model.Dtype, device) == ScalarType.BFloat16 && !Machine.Examine().HasFastBFloat16)
            log.Warning("{Problem}", "model.dtype: bfloat16 is some 14 times slower than float32 on this processor, which has neither AVX512_BF16 nor AMX; float32 (or auto) takes twice the memory for the weights");
        var settings = RunData.Settings(config, folder, Codec.Of(tokenizer, template, RunData.Vocabulary(config, folder)), onProgress) with { CacheFolder = RunData.CacheFolder() };
        var corpus = Corpus.Build(config.Data, settings, log, cancel);
        try
        {
            log.Information("{Table}", corpus.Report.Table().TrimEnd());
            RunData.RequireHeldOut(config, corpus);
            var plan = new RunPlan(config, memory, folder, device, tokenizer, template, corpus);
            if (DataOutlook.Shares(corpus, plan.Batches.Plan) is { } shares) log.Information("{Shares}", shares);
            foreach (var warning in plan.Warnings) log.Warning("{Warning}", warning);
            return plan;
        }
        catch
        {
            corpus.Dispose();
            throw;
        }
    }

    /// <summary>The folder of a run with an adapter is no model: it says how to go on from it.</summary>
    internal static void RequireModel(string path)
    {
        if (!RunFolder.Is(path)) return;
        var run = RunFolder.Open(path);
        if (!run.IsFinished) throw new RequestException($"model.path {path} is a run that has not finished: it has neither adapter nor model");
        throw new RequestException(string.Join('\n', (string[])
        [
            $"model.path {path} is a run with an adapter, not a model",
            $"  to train its adapter on: model.path: {run.ReadConfig().Model.Path}, and adapter: {{ path: {path} }}",
            $"  to train a new adapter on what it has learnt: llmtune merge {path} --output {Path.TrimEndingDirectorySeparator(path)}-merged, and that folder as model.path",
        ]));
    }

    /// <summary>The model on its device, from its weights or drawn at random.</summary>
    public Decoder LoadModel() => Config.Model.Init == ModelInit.Random
        ? Folder.Draw(Device, Type, Config.Training.Seed, _memory.Trained.Contains)
        : Folder.Load(Device, Type, _memory.Trained.Contains);

    /// <summary>Puts a fresh adapter on a model, or the one that the run goes on from; null where the model itself is trained.</summary>
    public AdapterSet? Adapt(Decoder model) => Adapt(Config, model);

    /// <summary>The base that the adapter to go on from names, if it is called otherwise than the run's model.</summary>
    public string? OtherBase()
    {
        if (Config.Adapter is not LoraConfig { Path: { } path } || ModelSource.BaseOf(AdapterOf(path)) is not { } named) return null;
        static string Last(string name) => Path.GetFileName(Path.TrimEndingDirectorySeparator(name.Replace('\\', '/')));
        return Last(named) == Last(Folder.Name) || Last(named) == Last(Folder.Path) ? null : named;
    }

    internal static string AdapterOf(string path) => RunFolder.Is(path) ? RunFolder.Open(path).Adapter : path;

    /// <inheritdoc cref="Adapt(Decoder)"/>
    internal static AdapterSet? Adapt(RunConfig config, Decoder model)
    {
        if (config.Adapter is not LoraConfig lora) return null;
        if (lora.Path is null) LoraPlan.From(lora).RequireNames([.. model.Parts]);
        var set = lora.Path is { } path
            ? AdapterFolder.Load(AdapterOf(path), model.Parts, model.Device, trainable: true)
            : AdapterSet.Create(LoraPlan.From(lora), model.Parts, config.Training.Seed, model.Device);
        set.Activate(model.Parts);
        return set;
    }

    /// <summary>Mistakes with special tokens, as far as they show before the model is loaded.</summary>
    public IReadOnlyList<AuditFinding> Audit() =>
        [.. StoredAudit.Check(Config, Tokenizer, Template, Corpus, Folder).Where(finding => finding.Level is AuditLevel.Error or AuditLevel.Warning)];

    /// <summary>Bytes that are free on the device.</summary>
    public long FreeMemory => _memory.Free;

    /// <summary>How many parameters will train; no weight is read.</summary>
    public long CountTrainable() => _memory.CountTrainable();

    /// <summary>What a step takes.</summary>
    /// <param name="trainable">How many parameters train.</param>
    public MemoryEstimate Memory(long trainable) => _memory.Estimate(trainable, (long)Shape.RowsPerBatch * Corpus.RowLength);

    public void Dispose() => Corpus.Dispose();
}
