using LlmTune.Data;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Objectives;

namespace LlmTune.Evaluation;

/// <summary>Loss of one source or of all.</summary>
/// <param name="Loss">Σ −log p ÷ tokens, over all documents at once.</param>
/// <param name="StandardError">Of the loss, documents taken as the independent units.</param>
public sealed record LossStatistics(double Loss, double StandardError, long Tokens, int Documents)
{
    public double Perplexity => Math.Exp(Loss);

    /// <summary>By the delta method: perplexity · standard error of the loss.</summary>
    public double PerplexityStandardError => Perplexity * StandardError;

    /// <summary>
    /// Ratio estimator over documents: loss = Σ Lᵈ / Σ nᵈ, variance = n/(n − 1) · Σ (Lᵈ − loss · nᵈ)² / (Σ nᵈ)²
    /// (Cochran, Sampling Techniques, 3rd ed., eq. 2.45, without the finite-population factor).
    /// </summary>
    public static LossStatistics Of(IReadOnlyList<(double Loss, int Tokens)> documents)
    {
        var tokens = documents.Sum(d => (long)d.Tokens);
        if (tokens == 0) return new LossStatistics(double.NaN, double.NaN, 0, documents.Count);
        var loss = documents.Sum(d => d.Loss) / tokens;
        var n = documents.Count;
        var squares = documents.Sum(d => Math.Pow(d.Loss - loss * d.Tokens, 2));
        var error = n > 1 ? Math.Sqrt(squares * n / (n - 1)) / tokens : double.NaN;
        return new LossStatistics(loss, error, tokens, n);
    }
}

/// <summary>
/// Loss on held-out documents, weighted by tokens, for all and by source; tokens whose loss the data multiply count as in training. How
/// documents are batched changes nothing.
/// </summary>
public static class HeldOut
{
    /// <param name="onBatch">Hears after each batch.</param>
    /// <returns>Of everything, and of each source that has tokens to predict: of what each document has of it.</returns>
    public static (LossStatistics All, IReadOnlyDictionary<int, LossStatistics> BySource) Loss(
        Decoder model, IEnumerable<TokenBatch> batches, Action? onBatch = null, CancellationToken cancel = default)
    {
        var statistics = new TokenStatistics(model);
        List<IReadOnlyCollection<SourceLoss>> documents = [];
        foreach (var batch in batches)
        {
            cancel.ThrowIfCancellationRequested();
            documents.AddRange(Documents(model, statistics, batch));
            onBatch?.Invoke();
        }
        return (
            LossStatistics.Of([.. documents.Select(parts => (parts.Sum(part => part.Loss), parts.Sum(part => part.Tokens)))]),
            documents.SelectMany(parts => parts).GroupBy(part => part.Source)
                .ToDictionary(group => group.Key, group => LossStatistics.Of([.. group.Select(part => (part.Loss, part.Tokens))])));
    }

    /// <summary>−Σ log p of every document and how many tokens it is over, by the source of the tokens: a row cut from a stream has several.</summary>
    private static List<IReadOnlyCollection<SourceLoss>> Documents(Decoder model, TokenStatistics statistics, TokenBatch batch)
    {
        if (batch.Supervised == 0) return [];
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var context = model.Packed(batch.Positions, batch.Bounds);
        var pass = new Pass(context);
        Tensor Indices(int[] values) => tensor(values, ScalarType.Int64, model.Device);
        var hidden = model.Forward(Indices(batch.Ids), pass);
        var logProbabilities = statistics.LogProbabilities(hidden, Indices(batch.Predicting), Indices(batch.Targets), pass).cpu().data<float>().ToArray();
        for (var s = 0; s < batch.Weights.Length; s++) logProbabilities[s] *= batch.Weights[s];
        List<IReadOnlyCollection<SourceLoss>> result = [];
        var bounds = batch.SupervisedBounds();
        for (var n = 0; n < batch.Documents; n++)
        {
            var parts = new Dictionary<int, SourceLoss>();
            for (var at = bounds[n]; at < bounds[n + 1]; at++)
            {
                var source = batch.TargetSources.Length > 0 ? batch.TargetSources[at] : batch.Sources[n];
                var part = parts.GetValueOrDefault(source);
                parts[source] = new SourceLoss(source, part.Loss - logProbabilities[at], part.Tokens + 1);
            }
            if (parts.Count > 0) result.Add(parts.Values);
        }
        return result;
    }

    /// <summary>What a document has of a source.</summary>
    private readonly record struct SourceLoss(int Source, double Loss, int Tokens);
}
