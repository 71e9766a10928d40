using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Objectives;
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
    private readonly IReadOnlySet<string> _trained;   // names of the model's tensors
    private readonly long _freeMemory;

    private RunPlan(RunConfig config, IReadOnlySet<string> trained, ModelFolder folder, Device device, HfTokenizer tokenizer, ChatTemplate? template, Corpus corpus)
    {
        (Config, _trained, Folder, Device, Tokenizer, Template, Corpus) = (config, trained, folder, device, tokenizer, template, corpus);
        Type = Devices.TypeOf(config.Model.Dtype, device);
        _freeMemory = FreeMemory(device);
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

    /// <summary>Reads everything but the weights.</summary>
    /// <param name="onProgress">Hears how far reading and tokenizing has come.</param>
    /// <exception cref="RequestException">The run cannot be as it is asked for.</exception>
    public static RunPlan Make(RunConfig config, ILogger log, IProgress<DataProgress>? onProgress = null, CancellationToken cancel = default)
    {
        var device = Devices.Of(config.Device);
        var folder = ModelFolder.Open(config.Model.Path);
        var trained = config.Adapter is null ? config.Model.Trainable.Of(folder.Spec) : new HashSet<string>();
        var tokenizer = HfTokenizer.Load(config.Model.Tokenizer is { } other ? HubCache.Resolve(other) : folder.Path);
        var template = ChatTemplate.For(tokenizer, tokenizer.Folder, config.Model.ChatTemplate);
        log.Information("Model {Model}: {Family}, {Parameters:N0} parameters, {Layers} layers, on {Device} in {Type}{Drawn}",
            folder.Name, folder.Spec.Family, folder.Spec.Parameters, folder.Spec.Blocks.Count, device, Devices.TypeOf(config.Model.Dtype, device),
            config.Model.Init == ModelInit.Random ? ", with random weights" : "");

        var settings = RunData.Settings(config, folder, Codec.Of(tokenizer, template, folder.Spec.Vocabulary), onProgress) with { CacheFolder = RunData.CacheFolder() };
        var corpus = Corpus.Build(config.Data, settings, log, cancel);
        try
        {
            log.Information("{Table}", corpus.Report.Table().TrimEnd());
            RunData.RequireHeldOut(config, corpus);
            return new RunPlan(config, trained, folder, device, tokenizer, template, corpus);
        }
        catch
        {
            corpus.Dispose();
            throw;
        }
    }

    /// <summary>The model on its device, from its weights or drawn at random.</summary>
    public Decoder LoadModel() => Config.Model.Init == ModelInit.Random
        ? Folder.Draw(Device, Type, Config.Training.Seed, _trained.Contains)
        : Folder.Load(Device, Type, _trained.Contains);

    /// <summary>Puts a fresh adapter on a model, or the one that the run goes on from; null where the model itself is trained.</summary>
    public AdapterSet? Adapt(Decoder model)
    {
        if (Config.Adapter is not LoraConfig lora) return null;
        var set = lora.Path is { } path
            ? AdapterFolder.Load(RunFolder.Is(path) ? RunFolder.Open(path).Adapter : path, model.Parts, model.Device, trainable: true)
            : AdapterSet.Create(LoraPlan.From(lora), model.Parts, Config.Training.Seed, model.Device);
        set.Activate(model.Parts);
        return set;
    }

    /// <summary>How many parameters will train; no weight is read.</summary>
    public long CountTrainable()
    {
        if (Config.Adapter is null)
            return Decoder.TensorShapes(Folder.Spec).Where(tensor => _trained.Contains(tensor.Name)).Sum(tensor => tensor.Shape.Aggregate(1L, (a, b) => a * b));
        using var outline = Decoder.Outline(Folder.Spec);
        using var adapters = Adapt(outline)!;
        return adapters.Tensors.Sum(tensor => tensor.Tensor.Value.numel());
    }

    /// <summary>What a step takes.</summary>
    /// <param name="trainable">How many parameters train.</param>
    public MemoryEstimate Memory(long trainable)
    {
        var spec = Folder.Spec;
        var trained = new TrainedShare(trainable, OfModel: Config.Adapter is null, FirstBlock(), Head: _trained.Contains(Decoder.HeadWeight(spec)));
        return MemoryPlan.Estimate(
            spec, Type, trained, (long)Shape.RowsPerBatch * Corpus.RowLength, TokenStatistics.ChunkRows(Device, spec.Vocabulary),
            Config.Training.GradientCheckpointing.Blocks, _freeMemory);
    }

    public void Dispose() => Corpus.Dispose();

    /// <summary>The first block that keeps anything for the backward pass.</summary>
    private int FirstBlock()
    {
        if (Config.Adapter is not null || _trained.Contains(Decoder.EmbeddingWeight)) return 0;
        var blocks = Folder.Spec.Blocks.Count;
        return Enumerable.Range(0, blocks).FirstOrDefault(
            block => _trained.Any(name => name.StartsWith(Decoder.BlockName(block) + ".", StringComparison.Ordinal)), blocks);
    }

    private static long FreeMemory(Device device)
    {
        var machine = Machine.Examine();
        if (device.type != DeviceType.CUDA) return machine.FreeMemory;
        var index = Math.Max(0, device.index);
        return index < machine.Gpus.Count ? machine.Gpus[index].Memory : 16L << 30;
    }
}
