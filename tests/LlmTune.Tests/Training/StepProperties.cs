using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Objectives;
using LlmTune.Training;

namespace LlmTune.Tests.Training;

/// <summary>What holds for a step of any family: how data is laid out and cut changes nothing.</summary>
public class StepProperties
{
    public static IEnumerable<TheoryDataRow<string>> Families => TinyModels.Families;

    /// <summary>Eight documents of different lengths, with a prompt that is not trained on.</summary>
    private static Document[] Documents()
    {
        var random = new Random(5);
        return [.. new[] { 9, 4, 12, 7, 7, 3, 15, 6 }.Select((length, n) => new Document(
            [.. Enumerable.Range(0, length).Select(_ => random.Next(TinyModels.Vocabulary))],
            [.. Enumerable.Range(0, length).Select(t => t > 1 && (t + n) % 5 != 0)],
            Key: (ulong)(100 + n)))];
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Packed_equals_unpacked_in_loss_and_gradients(string family)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family, _ => true);
        var documents = Documents();
        var total = documents.Sum(d => d.TrainedCount);
        var alone = Accumulate(model, [.. documents.Select(d => TokenBatch.Of([d]))], total);
        var packed = Accumulate(model, [TokenBatch.Of(documents)], total);
        Close.Assert(alone.Loss, packed.Loss, "loss");
        foreach (var (name, gradient) in alone.Gradients) Close.Assert(gradient, packed.Gradients[name], name, floor: 1e-3);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Cutting_a_step_into_micro_batches_changes_nothing_with_dropout_too(string family)
    {
        var documents = Documents();
        Dictionary<string, Tensor>? expected = null;
        double loss = 0, norm = 0;
        foreach (var size in new[] { 8, 4, 2, 1 })
        {
            using var scope = NewDisposeScope();
            using var model = TinyModels.Make(family);
            using var set = Adapter(model, dropout: 0.3);
            var trainer = Trainer(model, set, recomputed: size == 4 ? 2 : 0);
            var batches = documents.Chunk(size).Select(TokenBatch.Of).ToArray();
            StepResult result = null!;
            for (var step = 0; step < 3; step++) result = trainer.Step(batches, 1e-2);
            var values = set.Tensors.ToDictionary(t => t.Name, t => t.Tensor.Value.clone().DetachFromDisposeScope());
            if (expected is null)
            {
                (expected, loss, norm) = (values, result.Loss, result.GradientNorm);
                continue;
            }
            Close.Assert(loss, result.Loss, $"loss, {8 / size} micro-batches of {size}");
            Close.Assert(norm, result.GradientNorm, $"gradient norm, {8 / size} micro-batches of {size}");
            foreach (var (name, value) in values) Close.Assert(expected[name], value, $"{name}, {8 / size} micro-batches of {size}", 1e-4);
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Recomputing_blocks_changes_nothing_with_dropout_too(string family)
    {
        double[]? expected = null;
        foreach (var recomputed in new[] { 0, 1, 3 })
        {
            using var scope = NewDisposeScope();
            using var model = TinyModels.Make(family);
            using var set = Adapter(model, dropout: 0.2);
            var trainer = Trainer(model, set, recomputed);
            var losses = Enumerable.Range(0, 4).Select(_ => trainer.Step([TokenBatch.Of(Documents())], 1e-2).Loss).ToArray();
            expected ??= losses;
            Assert.Equal(expected, losses);   // the same operations: bit for bit
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Dropout_changes_the_loss_and_is_new_at_every_step(string family)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        using var plain = Adapter(model, dropout: 0);
        var without = Trainer(model, plain, 0).Step([TokenBatch.Of(Documents())], 0).Loss;
        using var set = Adapter(model, dropout: 0.5);
        var trainer = Trainer(model, set, 0);
        var losses = Enumerable.Range(0, 3).Select(_ => trainer.Step([TokenBatch.Of(Documents())], 0).Loss).ToArray();
        Assert.Equal(3, losses.Distinct().Count());
        Assert.DoesNotContain(without, losses);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void A_fresh_adapter_changes_nothing(string family)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        var before = Logits(model);
        using var set = AdapterSet.Create(Plan(0), model.Parts, seed: 3, model.Device);
        set.Activate(model.Parts);
        // y + s·B·0 is y; only the memory layout of the outputs differs, and with it the order of sums behind them.
        Close.Assert(before, Logits(model), "logits", 1e-6);
        Assert.NotEmpty(set.Adapters);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Training_moves_only_the_adapter_and_lowers_the_loss(string family)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        var before = model.Tensors.Select(t => t.Value.clone()).ToArray();
        using var set = Adapter(model, dropout: 0);
        var trainer = Trainer(model, set, 1);
        var losses = Enumerable.Range(0, 20).Select(_ => trainer.Step([TokenBatch.Of(Documents())], 2e-2).Loss).ToArray();
        Assert.True(losses[^1] < losses[0] * 0.7, $"from {losses[0]} to {losses[^1]}");
        foreach (var (old, now) in before.Zip(model.Tensors)) Assert.True(old.eq(now.Value).all().ToBoolean());
        AdapterSet.Deactivate(model.Parts);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Causal_changing_a_token_changes_nothing_before_it(string family)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        var ids = Enumerable.Range(3, 12).ToArray();
        var one = Logits(model, ids);
        ids[7] = 50;
        var other = Logits(model, ids);
        Assert.True(one[..7].eq(other[..7]).all().ToBoolean());
        Assert.False(one[7..].eq(other[7..]).all().ToBoolean());
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void A_step_leaks_no_tensor(string family)
    {
        using var outer = NewDisposeScope();
        using var model = TinyModels.Make(family);
        using var set = Adapter(model, dropout: 0.1);
        var trainer = Trainer(model, set, recomputed: 1);
        var batches = Documents().Chunk(3).Select(TokenBatch.Of).ToArray();
        trainer.Step(batches, 1e-3);
        var statistics = DisposeScopeManager.Statistics;
        statistics.Reset();
        for (var step = 0; step < 3; step++) trainer.Step(batches, 1e-3);
        Assert.Equal(0, statistics.ThreadTotalLiveCount);
    }

    /// <summary>
    /// The loss of a source in a step is that of its documents alone, and the losses weighted by their tokens are the loss of the step:
    /// (Σ₀ + Σ₁ + Σ₂) ÷ (n₀ + n₁ + n₂). The third source has nothing in the step.
    /// </summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void Losses_of_sources_are_those_of_their_documents_alone(string family)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        using var set = Adapter(model, dropout: 0);
        var documents = Documents().Select((d, n) => d with { Source = n % 3 == 0 ? 1 : 0 }).ToArray();
        Trainer Of(int sources) => new(
            model, new AdamW(FlatParameters.Group(set.Tensors.Select(t => t.Tensor), 0), 0.9, 0.999, 1e-8), maxGradientNorm: 1, recomputed: 0, seed: 11, sources: sources);
        var plain = Of(1).Step([.. documents.Chunk(3).Select(TokenBatch.Of)], 0);
        var result = Of(3).Step([.. documents.Chunk(3).Select(TokenBatch.Of)], 0);
        Assert.Equal((plain.Loss, plain.GradientNorm), (result.Loss, result.GradientNorm));   // bit for bit: watching changes nothing
        Close.Assert(plain.Loss, Assert.Single(plain.Sources).Sum / plain.Supervised, "loss of the one source", 1e-12);
        for (var source = 0; source < 2; source++)
        {
            var own = documents.Where(d => d.Source == source).ToArray();
            var alone = Of(1).Step([TokenBatch.Of(own)], 0);
            Assert.Equal(own.Sum(d => d.TrainedCount), result.Sources[source].Tokens);
            Close.Assert(alone.Loss, result.Sources[source].Sum / result.Sources[source].Tokens, $"loss of source {source}");
        }
        Assert.Equal((0.0, 0L), result.Sources[2]);
        Close.Assert(result.Loss, result.Sources.Sum(s => s.Sum) / result.Sources.Sum(s => s.Tokens), "weighted mean of the sources' losses", 1e-12);
    }

    /// <summary>
    /// With 20,000 trained tokens a token's share of the gradient is below what float16 holds; the step's gradient is that of float32
    /// all the same.
    /// </summary>
    [Fact]
    public void Gradients_of_float16_do_not_vanish_in_large_steps()
    {
        var documents = Enumerable.Range(0, 400).SelectMany(_ => Documents()).ToArray();
        double Norm(ScalarType type)
        {
            using var scope = NewDisposeScope();
            using var model = new Decoder(TinyModels.Spec("llama"), new RandomWeights(Golden.Device, type, _ => false, seed: 7, standardDeviation: 0.02));
            using var set = Adapter(model, dropout: 0);
            return Trainer(model, set, recomputed: 0).Step([.. documents.Chunk(1600).Select(TokenBatch.Of)], 0).GradientNorm;
        }
        Close.Assert(Norm(ScalarType.Float32), Norm(ScalarType.Float16), "gradient norm", 2e-3);
    }

    /// <summary>
    /// Also after steps that have left momentum: nothing moves, no loss is 0 ÷ 0, and the step after it is the one that would have come
    /// anyway. A micro-batch without targets beside one with some changes nothing but the count of tokens.
    /// </summary>
    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    public void A_step_without_a_trained_token_changes_nothing(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var model = new Decoder(TinyModels.Spec("llama"), new RandomWeights(Golden.Device, type, _ => false, seed: 7, standardDeviation: 0.02));
        var nothing = TokenBatch.Of([new Document([1, 2, 3], [false, false, false])]);
        var something = TokenBatch.Of(Documents());
        (double[] Values, double Loss) Run(params TokenBatch[][] steps)
        {
            using var set = Adapter(model, dropout: 0.1);
            var trainer = new Trainer(
                model, new AdamW(FlatParameters.Group(set.Tensors.Select(t => t.Tensor), 0.01), 0.9, 0.999, 1e-8), maxGradientNorm: 1, 0, seed: 11, sources: 2);
            StepResult last = null!;
            foreach (var step in steps)
            {
                last = trainer.Step(step, 1e-2);
                Assert.True(last.IsFinite);
                var targets = step.Sum(batch => batch.Supervised);
                Assert.Equal((targets, targets > 0, step.Sum(batch => batch.Tokens)), (last.Supervised, last.Taken, last.Tokens));
                if (targets == 0) Assert.Equal((0, 0, (0.0, 0L)), (last.Loss, last.GradientNorm, last.Sources[0]));
            }
            return ([.. set.Tensors.SelectMany(t => t.Tensor.Value.cpu().to(ScalarType.Float64).data<double>().ToArray())], last.Loss);
        }
        var expected = Run([something], [something]);
        foreach (var steps in (TokenBatch[][][])[[[something], [nothing], [something]], [[nothing, nothing], [something], [], [something]], [[nothing, something], [something, nothing]]])
        {
            var (values, loss) = Run(steps);
            Assert.Equal(expected.Values, values);
            Assert.Equal(expected.Loss, loss);
        }
    }

    private static (double Loss, Dictionary<string, Tensor> Gradients) Accumulate(Decoder model, TokenBatch[] batches, int total)
    {
        foreach (var t in model.Tensors) t.Gradient?.zero_();
        var loss = 0.0;
        foreach (var batch in batches)
        {
            var pass = new Pass(model.Packed(batch.Positions, batch.Bounds));
            var chain = new Chain(model, pass, 0);
            var hidden = chain.Forward(tensor(batch.Ids, ScalarType.Int64, model.Device));
            var (logProbs, gradient) = new TokenStatistics(model).Backward(
                hidden, tensor(batch.Predicting, ScalarType.Int64, model.Device), tensor(batch.Targets, ScalarType.Int64, model.Device),
                Sft.Coefficients(batch.Supervised, 1.0 / total, model.Device), pass, chain.NeedsGradient);
            chain.Backward(gradient!);
            loss -= logProbs.sum().ToDouble() / total;
        }
        return (loss, model.Tensors.SelectMany(t => t.Gradients).ToDictionary(g => g.Name, g => g.View.clone()));
    }

    private static LoraPlan Plan(double dropout) => new() { Rank = 4, Alpha = 8, Dropout = dropout, Targets = ModuleSelector.AllLinear };

    /// <summary>An adapter that matters: B is not zero.</summary>
    private static AdapterSet Adapter(Decoder model, double dropout)
    {
        var set = AdapterSet.Create(Plan(dropout), model.Parts, seed: 3, model.Device);
        using var _ = no_grad();
        foreach (var (name, t) in set.Tensors)
            if (name.Contains("lora_B", StringComparison.Ordinal)) t.Value.detach().copy_(randn(t.Value.shape, generator: Seeds.Generator(1, name)).mul_(0.1));
        set.Activate(model.Parts);
        return set;
    }

    private static Trainer Trainer(Decoder model, AdapterSet set, int recomputed) => new(
        model, new AdamW(FlatParameters.Group(set.Tensors.Select(t => t.Tensor), 0.01), 0.9, 0.999, 1e-8), maxGradientNorm: 1, recomputed, seed: 11);

    private static Tensor Logits(Decoder model, int[]? ids = null)
    {
        ids ??= [3, 1, 4, 1, 5, 9, 2, 6];
        using var _ = no_grad();
        var pass = new Pass(model.Packed([.. Enumerable.Range(0, ids.Length)], [0, ids.Length]));
        return model.Logits(model.Forward(tensor(ids, ScalarType.Int64, model.Device), pass), pass);
    }
}
