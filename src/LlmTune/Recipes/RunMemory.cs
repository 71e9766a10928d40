using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Objectives;
using LlmTune.Training;

namespace LlmTune.Recipes;

/// <summary>How many parameters of a model a run trains, and what memory its steps take; no weight is read.</summary>
internal sealed class RunMemory(RunConfig config, ModelFolder folder, Device device)
{
    private readonly ScalarType _type = Devices.TypeOf(config.Model.Dtype, device);

    /// <summary>Names of the model's own tensors that train.</summary>
    public IReadOnlySet<string> Trained { get; } = config.Adapter is null ? config.Model.Trainable.Of(folder.Spec) : new HashSet<string>();

    /// <summary>Bytes that are free on the device.</summary>
    public long Free { get; } = FreeOn(device);

    /// <summary>Of the model, or of its adapter.</summary>
    public long CountTrainable()
    {
        if (config.Adapter is null)
            return Decoder.TensorShapes(folder.Spec).Where(tensor => Trained.Contains(tensor.Name)).Sum(tensor => tensor.Shape.Aggregate(1L, (a, b) => a * b));
        using var outline = Decoder.Outline(folder.Spec);
        using var adapters = RunPlan.Adapt(config, outline)!;
        return adapters.Tensors.Sum(tensor => tensor.Tensor.Value.numel());
    }

    /// <summary>What a step takes.</summary>
    /// <param name="trainable">How many parameters train.</param>
    /// <param name="tokens">Of a micro-batch.</param>
    public MemoryEstimate Estimate(long trainable, long tokens)
    {
        var spec = folder.Spec;
        var trained = new TrainedShare(trainable, OfModel: config.Adapter is null, FirstBlock(), Head: Trained.Contains(Decoder.HeadWeight(spec)));
        return MemoryPlan.Estimate(
            spec, _type, trained, tokens, TokenStatistics.ChunkRows(device, spec.Vocabulary), config.Training.GradientCheckpointing.Blocks, Free);
    }

    /// <summary>The first block that keeps anything for the backward pass.</summary>
    private int FirstBlock()
    {
        if (config.Adapter is not null || Trained.Contains(Decoder.EmbeddingWeight)) return 0;
        var blocks = folder.Spec.Blocks.Count;
        return Enumerable.Range(0, blocks).FirstOrDefault(
            block => Trained.Any(name => name.StartsWith(Decoder.BlockName(block) + ".", StringComparison.Ordinal)), blocks);
    }

    /// <summary>Bytes that are free on a device.</summary>
    public static long FreeOn(Device device)
    {
        var machine = Machine.Examine();
        if (device.type != DeviceType.CUDA) return machine.FreeMemory;
        var index = Math.Max(0, device.index);
        return CudaDriver.Memory(index)?.Free ?? (index < machine.Gpus.Count ? machine.Gpus[index].Memory : 16L << 30);
    }
}
