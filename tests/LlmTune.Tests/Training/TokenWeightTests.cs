using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Evaluation;
using LlmTune.Layers;
using LlmTune.Objectives;
using LlmTune.Training;

namespace LlmTune.Tests.Training;

/// <summary>What tokens count: Σ w · −log p ÷ number of trained tokens, as ms-swift has it, however the tokens are laid out.</summary>
public class TokenWeightTests
{
    /// <summary>Six documents of different lengths, the third and fifth of which have no weights of their own.</summary>
    private static Document[] Documents(Func<int, float>? weight)
    {
        var random = new Random(5);
        return [.. new[] { 9, 4, 12, 7, 3, 15 }.Select((length, n) => new Document(
            [.. Enumerable.Range(0, length).Select(_ => random.Next(TinyModels.Vocabulary))],
            [.. Enumerable.Range(0, length).Select(t => t > 1 && (t + n) % 5 != 0)],
            Key: (ulong)(100 + n))
        {
            Weights = weight is null || n is 2 or 4 ? null : [.. Enumerable.Range(0, length).Select(t => weight(t + (17 * n)))],
        })];
    }

    private static float Mixed(int place) => (place % 4) switch { 0 => 0.5f, 1 => 1, 2 => 0, _ => 2.25f };

    private static StepResult Step(IEnumerable<TokenBatch> batches)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make("llama");
        using var set = AdapterSet.Create(new LoraPlan { Rank = 4, Alpha = 8, Targets = ModuleSelector.AllLinear }, model.Parts, seed: 3, model.Device);
        set.Activate(model.Parts);
        var optimizer = new AdamW(FlatParameters.Group(set.Tensors.Select(t => t.Tensor), 0.01), 0.9, 0.999, 1e-8);
        return new Trainer(model, optimizer, maxGradientNorm: 0, recomputed: 0, seed: 11).Step([.. batches], 0);
    }

    [Fact]
    public void Ones_are_the_same_as_none_to_the_bit()
    {
        var (plain, ones) = (Step([TokenBatch.Of(Documents(null))]), Step([TokenBatch.Of(Documents(_ => 1))]));
        Assert.Equal((plain.Loss, plain.GradientNorm, plain.Supervised), (ones.Loss, ones.GradientNorm, ones.Supervised));
        Assert.Empty(TokenBatch.Of(Documents(null)).Weights);
    }

    [Fact]
    public void Halves_have_half_the_loss_and_half_the_gradient()
    {
        var halves = Documents(null).Select(d => d with { Weights = [.. d.Ids.Select(_ => 0.5f)] });
        var (plain, half) = (Step([TokenBatch.Of(Documents(null))]), Step([TokenBatch.Of(halves)]));
        Close.Assert(plain.Loss / 2, half.Loss, "loss", 1e-6);
        Close.Assert(plain.GradientNorm / 2, half.GradientNorm, "gradient norm", 1e-5);
        Assert.Equal(plain.Supervised, half.Supervised);
    }

    /// <summary>A token of weight 0 gives what one that is masked gives; only the number that is divided by counts it, so that the pipeline masks it.</summary>
    [Fact]
    public void Zero_has_no_gradient()
    {
        var zeros = Documents(place => place % 3 == 0 ? 0 : 1);
        var masked = zeros.Select(d => d with { Weights = null, Trained = [.. d.Trained.Select((trained, t) => trained && d.Weights?[t] != 0)] }).ToArray();
        var (zero, without) = (Step([TokenBatch.Of(zeros)]), Step([TokenBatch.Of(masked)]));
        Assert.True(without.Supervised < zero.Supervised);
        Close.Assert(without.Loss * without.Supervised, zero.Loss * zero.Supervised, "loss", 1e-6);
        Close.Assert(without.GradientNorm * without.Supervised, zero.GradientNorm * zero.Supervised, "gradient norm", 1e-5);
    }

    [Fact]
    public void How_documents_are_packed_and_cut_into_micro_batches_changes_nothing()
    {
        var expected = Step([TokenBatch.Of(Documents(Mixed))]);
        foreach (var size in new[] { 4, 3, 2, 1 })
        {
            var cut = Step(Documents(Mixed).Chunk(size).Select(TokenBatch.Of));
            Close.Assert(expected.Loss, cut.Loss, $"loss, {size} a batch");
            Close.Assert(expected.GradientNorm, cut.GradientNorm, $"gradient norm, {size} a batch", 1e-5);
        }
    }

    /// <summary>Summed up by hand from the log-probabilities, of a batch of several documents and of evaluation too.</summary>
    [Fact]
    public void The_loss_is_the_weighted_sum_over_the_number_of_tokens()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make("llama");
        var batch = TokenBatch.Of(Documents(Mixed));
        var pass = new Pass(model.Packed(batch.Positions, batch.Bounds));
        using var _ = no_grad();
        Tensor Of(int[] values) => tensor(values, ScalarType.Int64, model.Device);
        var logProbabilities = new TokenStatistics(model).LogProbabilities(model.Forward(Of(batch.Ids), pass), Of(batch.Predicting), Of(batch.Targets), pass).cpu().data<float>().ToArray();
        var (sum, at) = (0.0, 0);
        foreach (var document in Documents(Mixed))
            for (var t = 1; t < document.Length; t++)
                if (document.Trained[t]) sum -= logProbabilities[at++] * (document.Weights?[t] ?? 1);
        Assert.Equal(at, batch.Supervised);
        Close.Assert(sum / at, Step([batch]).Loss, "loss of a step", 1e-6);
        Close.Assert(sum / at, HeldOut.Loss(model, [batch]).All.Loss, "held-out loss", 1e-6);
    }
}
