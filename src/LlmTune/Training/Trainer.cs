using LlmTune.Data;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Objectives;

namespace LlmTune.Training;

/// <summary>What a step gives back.</summary>
/// <param name="Loss">Σ over trained tokens ÷ their number, before the update.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="Tokens">Tokens computed.</param>
/// <param name="Supervised">Tokens trained on.</param>
public sealed record StepResult(double Loss, double GradientNorm, long Tokens, long Supervised)
{
    /// <summary>False where loss or gradients were not finite: such a step changes nothing.</summary>
    public bool Taken => double.IsFinite(Loss) && double.IsFinite(GradientNorm);
}

/// <summary>One optimizer step: micro-batches through the chain, clipping, update.</summary>
/// <param name="maxGradientNorm">0 switches clipping off.</param>
/// <param name="recomputed">How many blocks are recomputed in the backward pass.</param>
/// <param name="seed">What dropout masks are drawn from.</param>
/// <param name="context">The surroundings of attention for a batch; null: documents that do not see each other.</param>
public sealed class Trainer(
    Decoder model, AdamW optimizer, double maxGradientNorm, int recomputed, long seed, Func<TokenBatch, AttentionContext>? context = null)
{
    private readonly TokenStatistics _statistics = new(model);

    /// <summary>The loss of a step is Σ ÷ number of trained tokens over all its micro-batches: how it is cut changes nothing.</summary>
    /// <param name="microBatches">With at least one trained token in all.</param>
    /// <exception cref="ArgumentException">Nothing is trained on.</exception>
    public StepResult Step(IReadOnlyList<TokenBatch> microBatches, double learningRate)
    {
        using var scope = NewDisposeScope();
        var supervised = microBatches.Sum(batch => (long)batch.Supervised);
        if (supervised == 0) throw new ArgumentException("a step needs at least one trained token", nameof(microBatches));
        var loss = zeros(1, ScalarType.Float64, model.Device);
        foreach (var batch in microBatches)
            if (batch.Supervised > 0) loss.Increase(Accumulate(batch, supervised));
        var norm = optimizer.Clip(maxGradientNorm);
        var result = new StepResult(loss.Number() / supervised, norm.Number(), microBatches.Sum(batch => (long)batch.Tokens), supervised);
        if (result.Taken) optimizer.Step(learningRate);
        else optimizer.ClearGradients();
        return result;
    }

    /// <summary>Adds one micro-batch's gradients; returns −Σ log p, a scalar on the device.</summary>
    private Tensor Accumulate(TokenBatch batch, long supervisedOfStep)
    {
        using var scope = NewDisposeScope();
        var device = model.Device;
        using var attention = context?.Invoke(batch) ?? model.Packed(batch.Positions, batch.Bounds);
        var dropout = new KeyedDropout(Seeds.Derive((ulong)seed, (ulong)optimizer.Steps), batch.Keys, batch.Bounds, device);
        var pass = new Pass(attention, dropout);
        var chain = new Chain(model, pass, recomputed);
        var hidden = chain.Forward(Indices(batch.Ids, device));
        var (logProbabilities, gradient) = _statistics.Backward(
            hidden, Indices(batch.Predicting, device), Indices(batch.Targets, device),
            Sft.Coefficients(batch.Supervised, supervisedOfStep, device), pass, chain.NeedsGradient);
        hidden.Dispose();
        if (gradient is not null) chain.Backward(gradient);
        foreach (var group in optimizer.Groups) group.CollectGradients();
        return logProbabilities.sum(ScalarType.Float64).neg().MoveToOuterDisposeScope();
    }

    internal static Tensor Indices(int[] values, Device device) => tensor(values, ScalarType.Int32).to(ScalarType.Int64, device);
}
