using LlmTune.Data;
using LlmTune.Models;

namespace LlmTune.Recipes;

/// <summary>A starter run fitted to its data, its model and the machine.</summary>
/// <param name="Run">With the sources as they are written into the file.</param>
/// <param name="DocumentsPerStep">What a step learns from, on average; 0 where rows are cut from a stream.</param>
/// <param name="HeldOut">Documents held out, about.</param>
/// <param name="StepsPerEpoch">About.</param>
/// <param name="TooLong">Share of the documents that no row holds.</param>
/// <param name="Needed">Bytes that a step takes.</param>
/// <param name="Free">Bytes that are free on the device.</param>
public sealed record StarterFit(
    RunConfig Run, double DocumentsPerStep, long HeldOut, int StepsPerEpoch, double TooLong, long Needed, long Free)
{
    /// <summary>Fewer steps than this teach a model little.</summary>
    public const int FewestSteps = 50;

    private const int LongestRow = 2048, ShortestRow = 128, Rounding = 64, ShortestCut = 512;

    /// <summary>A row is long enough if this share of the documents fits.</summary>
    private const double Covered = 0.99;

    private const int FewDocuments = 8, ManyDocuments = 16;

    /// <summary>With so many documents a step takes many of them and there are steps enough all the same.</summary>
    private const int Plenty = 1000;

    private const int MostEpochs = 10;

    /// <summary>Best fit over so many documents shows how many share a row.</summary>
    private const int Packed = 8192;

    /// <summary>Steps of the run.</summary>
    public int Steps => (int)Math.Ceiling(StepsPerEpoch * Run.Training.NumTrainEpochs);

    /// <summary>
    /// Chooses rows that hold the documents, a step of 8 to 16 documents, epochs for enough steps, what is held out, and as many rows at
    /// once as the device has memory for; the rest of a step's rows is accumulated, which is the same step.
    /// </summary>
    /// <param name="run">As <see cref="StarterFile.For"/> makes it.</param>
    public static StarterFit Of(RunConfig run, StarterData data, ModelFolder folder)
    {
        var memory = new RunMemory(run, folder, Devices.Of(run.Device));
        var trainable = memory.CountTrainable();
        run = run with { Data = run.Data with { Sources = [.. data.Sources] } };
        var row = RowLength(run.Data.Packing, data, folder.Spec.MaxPositions, length => memory.Estimate(trainable, length).Total <= memory.Free);
        run = run with { Data = run.Data with { MaxLength = row } };
        var fit = run.Data.Packing == PackingMode.Wrapped ? OfTexts(run, data) : OfDocuments(run, data);

        var rows = fit.Run.Training.PerDeviceTrainBatchSize;
        var atOnce = Enumerable.Range(1, rows).Where(count => rows % count == 0).OrderDescending()
            .FirstOrDefault(count => memory.Estimate(trainable, (long)count * row) is { Recomputed: 0 } step && step.Total <= memory.Free, 1);
        var training = fit.Run.Training with { PerDeviceTrainBatchSize = atOnce, GradientAccumulationSteps = rows / atOnce };
        return fit with
        {
            Run = fit.Run with { Training = training },
            Needed = memory.Estimate(trainable, (long)atOnce * row).Total,
            Free = memory.Free,
        };
    }

    /// <summary>Long enough for nearly all documents, no longer than the model knows and the memory allows.</summary>
    private static int RowLength(PackingMode packing, StarterData data, int modelLength, Func<int, bool> fits)
    {
        var covering = packing == PackingMode.Wrapped ? LongestRow : data.Longest <= LongestRow ? data.Longest : data.Quantile(Covered);
        var row = ShortestRow;
        while (row < covering) row += row < 1024 ? Rounding : row;   // by 64 up to 1,024, then doubled
        row = Math.Min(row, modelLength);
        while (row > ShortestCut && !fits(row)) row = Math.Max(row / 2, ShortestCut);
        return row;
    }

    private static StarterFit OfDocuments(RunConfig run, StarterData data)
    {
        var row = run.Data.MaxLength;
        var held = HeldOutOf(data.Documents);
        int[] kept = [.. data.Lengths.Where(length => length <= row)];
        var tooLong = 1 - ((double)kept.Length / data.Lengths.Count);
        var documents = Math.Max(1, (long)((data.Documents - held) * (1 - tooLong)));

        double wanted = documents >= Plenty ? ManyDocuments : FewDocuments;
        var epochs = (int)Math.Clamp(Math.Ceiling(FewestSteps * wanted / documents), run.Training.NumTrainEpochs, MostEpochs);
        wanted = Math.Clamp(Math.Floor((double)documents * epochs / FewestSteps), 1, wanted);

        // A packed row is the smallest step there can be; where it holds too many documents, each has a row of its own.
        var sample = kept.AsSpan(0, Math.Min(kept.Length, Packed));
        var inRow = sample.IsEmpty ? 1 : (double)sample.Length / BestFit.Pack(sample, row).Count;
        var rows = (int)Math.Max(1, Math.Ceiling(wanted / inRow - 0.01));
        var packs = rows * inRow <= Math.Max(ManyDocuments, wanted) && documents * epochs / (rows * inRow) >= FewestSteps;
        if (!packs) (rows, inRow) = ((int)wanted, 1);
        var fitted = run with
        {
            Data = run.Data with { Packing = packs ? PackingMode.BestFit : PackingMode.None, Eval = held == 0 ? null : Eval(data.Documents, held) },
            Training = run.Training with { PerDeviceTrainBatchSize = rows, NumTrainEpochs = epochs },
        };
        return new StarterFit(fitted, rows * inRow, held, (int)Math.Ceiling(documents / (rows * inRow)), tooLong, 0, 0);
    }

    private static StarterFit OfTexts(RunConfig run, StarterData data)
    {
        const double Fraction = 0.02;
        var row = run.Data.MaxLength;
        var holds = data.Documents * Fraction >= FewDocuments || data.Lengths.Any(length => LongTexts.HeldOutFrom(length, row, data.Lengths.Count, Fraction) is not null);
        var inAll = Math.Max(1, data.Tokens * (holds ? 1 - Fraction : 1) / row);
        var rows = (int)Math.Clamp(inAll / FewestSteps, 1, FewDocuments);
        var epochs = Math.Clamp(Math.Ceiling(FewestSteps * rows / inAll), run.Training.NumTrainEpochs, MostEpochs);
        var fitted = run with
        {
            Data = run.Data with { Eval = holds ? new EvalConfig { Fraction = Fraction } : null },
            Training = run.Training with { PerDeviceTrainBatchSize = rows, NumTrainEpochs = epochs },
        };
        return new StarterFit(fitted, 0, holds ? (long)Math.Max(1, data.Documents * Fraction) : 0, (int)Math.Ceiling(inAll / rows), 0, 0, 0);
    }

    /// <summary>A tenth of little data, some dozens of more, a fiftieth of much; nothing where every row counts.</summary>
    private static long HeldOutOf(long documents) => documents switch
    {
        < 20 => 0,
        < 500 => documents / 10,
        < 2500 => 50,
        < 50_000 => documents / 50,
        _ => 1000,
    };

    private static EvalConfig Eval(long documents, long held) =>
        documents is >= 2500 and < 50_000 ? new EvalConfig { Fraction = 0.02 } : new EvalConfig { Count = (int)held };
}
