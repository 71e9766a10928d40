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
    /// <summary>Whether loss and gradients were finite; a step of others changes nothing.</summary>
    public bool IsFinite => double.IsFinite(Loss) && double.IsFinite(GradientNorm);

    /// <summary>Whether the step has changed the model: it was finite and had something to train on.</summary>
    public bool Taken => IsFinite && Supervised > 0;

    /// <summary>Σ −log p over the tokens of each source and how many there are.</summary>
    public IReadOnlyList<(double Sum, long Tokens)> Sources { get; init; } = [];
}

/// <summary>One optimizer step: micro-batches through the chain, clipping, update.</summary>
/// <param name="maxGradientNorm">0 switches clipping off.</param>
/// <param name="recomputed">How many blocks are recomputed in the backward pass.</param>
/// <param name="seed">What dropout masks are drawn from.</param>
/// <param name="context">The surroundings of attention for a batch; null: documents that do not see each other.</param>
/// <param name="sources">How many sources the documents come from: with several the loss of each is known.</param>
public sealed class Trainer(
    Decoder model, AdamW optimizer, double maxGradientNorm, int recomputed, long seed, Func<TokenBatch, AttentionContext>? context = null, int sources = 1)
{
    private readonly TokenStatistics _statistics = new(model);

    /// <summary>The loss of a step is Σ ÷ number of trained tokens over all its micro-batches: how it is cut changes nothing.</summary>
    /// <param name="microBatches">Without a trained token in all of them (or without any) the step changes nothing, and its loss is 0.</param>
    public StepResult Step(IReadOnlyList<TokenBatch> microBatches, double learningRate)
    {
        using var scope = NewDisposeScope();
        var supervised = microBatches.Sum(batch => (long)batch.Supervised);
        var divisor = Math.Max(supervised, 1);
        // Gradients of float16 below 6e-8 are zero: there the division by the number of tokens waits until they are float32.
        var scale = model.Type == ScalarType.Float16 ? divisor : 1;
        var losses = zeros(1 + sources, ScalarType.Float64, model.Device);
        foreach (var batch in microBatches)
            if (batch.Supervised > 0) losses.Increase(Accumulate(batch, (double)scale / divisor));
        optimizer.Divide(scale);
        var norm = optimizer.Clip(maxGradientNorm);
        double[] sums = [.. cat([losses, norm.reshape(1)]).cpu().data<double>()];   // one transfer a step
        var result = new StepResult(sums[0] / divisor, sums[^1], microBatches.Sum(batch => (long)batch.Tokens), supervised)
        {
            Sources = [.. sums[1..^1].Select((sum, s) => (sum, sources == 1 ? supervised : microBatches.Sum(batch => (long)batch.TargetSources.AsSpan().Count(s))))],
        };
        if (result.Taken) optimizer.Step(learningRate);
        else optimizer.ClearGradients();
        return result;
    }

    /// <summary>Adds one micro-batch's gradients; returns −Σ log p (times the weights, if there are any) of all tokens and of each source's, on the device, float64 (1 + sources).</summary>
    /// <param name="share">What a token's −log p counts in the loss.</param>
    private Tensor Accumulate(TokenBatch batch, double share)
    {
        using var scope = NewDisposeScope();
        var device = model.Device;
        // Everything goes to the device before the forward pass is queued there, so that it need not wait for more.
        var (ids, predicting, targets) = (Indices(batch.Ids, device), Indices(batch.Predicting, device), Indices(batch.Targets, device));
        var weights = batch.Weights.Length > 0 ? tensor(batch.Weights).to(device) : null;
        var coefficients = Sft.Coefficients(batch.Supervised, share, device, weights);
        using var attention = context?.Invoke(batch) ?? model.Packed(batch.Positions, batch.Bounds);
        var dropout = new KeyedDropout(Seeds.Derive((ulong)seed, (ulong)optimizer.Steps), batch.Keys, batch.Bounds, device);
        var pass = new Pass(attention, dropout);
        var chain = new Chain(model, pass, recomputed);
        var hidden = chain.Forward(ids);
        var (logProbabilities, gradient) = _statistics.Backward(hidden, predicting, targets, coefficients, pass, chain.NeedsGradient);
        hidden.Dispose();
        if (gradient is not null) chain.Backward(gradient);
        foreach (var group in optimizer.Groups) group.CollectGradients();
        if (weights is not null) logProbabilities.mul_(weights);
        return Sums(logProbabilities, batch).neg_().MoveToOuterDisposeScope();
    }

    /// <summary>(S) → (1 + sources): the sum, and the sums over the tokens of each source.</summary>
    private Tensor Sums(Tensor logProbabilities, TokenBatch batch)
    {
        var all = logProbabilities.sum(ScalarType.Float64).unsqueeze(0);
        if (sources == 1) return all.expand(2).clone();
        var members = Indices(batch.TargetSources, model.Device).unsqueeze(1).eq(Indices([.. Enumerable.Range(0, sources)], model.Device));   // (S, sources)
        return cat([all, members.to(ScalarType.Float64).mul_(logProbabilities.to(ScalarType.Float64).unsqueeze(1)).sum(dim: 0)]);
    }

    internal static Tensor Indices(int[] values, Device device) => tensor(values, ScalarType.Int32).to(ScalarType.Int64, device);
}
