using System.Text.Json;
using LlmTune.Adapters;
using LlmTune.Config;
using LlmTune.Data;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Objectives;
using LlmTune.Quantization;
using LlmTune.Training;

namespace LlmTune.Tests.Training;

/// <summary>
/// A training curve of another library, trained again: the model of a case, or an adapter on it, by the settings of the case, which
/// are read as the training section of a run file. What cannot be said there is not built, and the case is skipped.
/// </summary>
internal sealed class Curve : IDisposable
{
    private readonly Trainer _trainer;
    private readonly AdamW _optimizer;
    private readonly AdapterSet? _adapters;

    /// <param name="options">TrainingArguments of the case.</param>
    /// <param name="adapter">Folder of the adapter to train; null: the model itself is trained.</param>
    public Curve(GoldenCase golden, JsonElement options, string? adapter, ScalarType type = ScalarType.Float32)
    {
        Config = Read(golden, options);
        Model = golden.OpenModel(golden.PathOf("model")).Load(Golden.Device, type, _ => adapter is null);
        try
        {
            if (adapter is not null)
            {
                _adapters = AdapterFolder.Load(adapter, Model.Parts, Model.Device, trainable: true);
                _adapters.Activate(Model.Parts);
            }
        }
        catch (UnsupportedAdapterException e)
        {
            Model.Dispose();
            golden.Skip(e);
        }
        _optimizer = new AdamW(
            FlatParameters.Group(_adapters?.Tensors.Select(t => t.Tensor) ?? Model.Tensors, Config.WeightDecay), Config.AdamBeta1, Config.AdamBeta2, Config.AdamEpsilon);
        _trainer = new Trainer(Model, _optimizer, Config.MaxGradNorm, recomputed: 1, seed: 0);
    }

    public TrainingConfig Config { get; }

    public Decoder Model { get; }

    /// <summary>Everything that trains, by the names of the libraries: float32 values, and whether they decay.</summary>
    public IEnumerable<(string Name, Tensor Value, bool Decays)> Parameters
    {
        get
        {
            var names = _adapters?.Tensors.ToDictionary(t => t.Tensor, t => $"{t.Name[..^".weight".Length]}.default.weight");
            foreach (var (group, at) in _optimizer.Groups.SelectMany(Places))
            {
                var (tensor, start) = at;
                var whole = group.Values.narrow(0, start, tensor.Value.numel()).view(tensor.Value.shape);
                long row = 0;
                foreach (var (name, rows) in tensor.Names)
                {
                    yield return (names?[tensor] ?? name, whole.narrow(0, row, rows), group.WeightDecay > 0);
                    row += rows;
                }
            }
        }
    }

    /// <summary>The rate of a step, from 0.</summary>
    public double Rate(int step, int total) => Config.ScheduleOf(total).At(step);

    public StepResult Step(IReadOnlyList<TokenBatch> micro, double rate) => _trainer.Step(micro, rate);

    /// <summary>−Σ log p of a batch.</summary>
    public double Loss(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var pass = new Pass(Model.Packed(batch.Positions, batch.Bounds));
        var hidden = Model.Forward(Trainer.Indices(batch.Ids, Model.Device), pass);
        return -new TokenStatistics(Model).LogProbabilities(
            hidden, Trainer.Indices(batch.Predicting, Model.Device), Trainer.Indices(batch.Targets, Model.Device), pass).sum(ScalarType.Float64).ToDouble();
    }

    /// <summary>A document of ids with labels, −100 where it is not trained on.</summary>
    public static Document Document(JsonElement ids, JsonElement labels) => Document(
        [.. ids.EnumerateArray().Select(x => x.GetInt32())], [.. labels.EnumerateArray().Select(x => x.GetInt32())]);

    public static Document Document(int[] ids, int[] labels)
    {
        Assert.All(ids.Zip(labels), pair => Assert.True(pair.Second == -100 || pair.Second == pair.First, "a label is another token than the row's"));
        return new Document(ids, [.. labels.Select(label => label != -100)]);
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _adapters?.Dispose();
        Model.Dispose();
    }

    private static TrainingConfig Read(GoldenCase golden, JsonElement options)
    {
        var lines = string.Concat(options.EnumerateObject().Select(Refusals.Line));
        if (Refusals.OfTraining(lines) is { } refusal) Golden.Skip(golden.Area, refusal);
        return ConfigFile.Parse<TrainingConfig>($"output_dir: out\n{lines}", "options");
    }

    private static IEnumerable<(FlatParameters Group, (ModelTensor Tensor, long Start))> Places(FlatParameters group)
    {
        long start = 0;
        foreach (var tensor in group.Tensors)
        {
            yield return (group, (tensor, start));
            start += tensor.Value.numel();
        }
    }
}
