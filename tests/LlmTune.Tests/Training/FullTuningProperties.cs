using LlmTune.Config;
using LlmTune.Data;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Training;

namespace LlmTune.Tests.Training;

/// <summary>What holds for the training of a model itself, of any family.</summary>
public class FullTuningProperties
{
    public static IEnumerable<TheoryDataRow<string>> Families => TinyModels.Families;

    private static Document[] Documents()
    {
        var random = new Random(5);
        return [.. new[] { 9, 4, 12, 7 }.Select((length, n) => new Document(
            [.. Enumerable.Range(0, length).Select(_ => random.Next(TinyModels.Vocabulary))], [.. Enumerable.Repeat(true, length)], Key: (ulong)n))];
    }

    private static Decoder Make(string family, ScalarType type, Func<string, bool> trainable) =>
        new(TinyModels.Spec(family), new RandomWeights(Golden.Device, type, trainable, seed: 7, standardDeviation: 0.2));

    private static TrainableParts Parts(string text) => ConfigFile.Parse<ModelConfig>($"path: x\ntrainable: {text}", "run.yaml").Trainable;

    private static (Trainer Trainer, AdamW Optimizer) Training(Decoder model, int recomputed = 0)
    {
        var optimizer = new AdamW(FlatParameters.Group(model.Tensors, weightDecay: 0), 0.9, 0.999, 1e-8);
        return (new Trainer(model, optimizer, maxGradientNorm: 1, recomputed, seed: 11), optimizer);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void The_loss_falls_and_every_tensor_moves(string family)
    {
        using var scope = NewDisposeScope();
        using var model = Make(family, ScalarType.Float32, _ => true);
        var before = model.Tensors.SelectMany(t => t.Views).ToDictionary(t => t.Name, t => t.View.clone());
        var trainer = Training(model, recomputed: 1).Trainer;
        var losses = Enumerable.Range(0, 15).Select(_ => trainer.Step([TokenBatch.Of(Documents())], 5e-3).Loss).ToArray();
        Assert.True(losses[^1] < losses[0] * 0.5, $"from {losses[0]} to {losses[^1]}");
        foreach (var (name, view) in model.Tensors.SelectMany(t => t.Views)) Assert.False(Same(before[name], view), name);
        Assert.Equal(before.Keys.Order(), Decoder.TensorShapes(model.Spec).Select(t => t.Name).Order());
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Only_what_is_chosen_moves(string family)
    {
        var spec = TinyModels.Spec(family);
        foreach (var parts in new[] { "{ last_layers: 1 }", "[k_proj]", "['*norm', layers.1.mlp]", "[embed_tokens]" })
        {
            using var scope = NewDisposeScope();
            var chosen = Parts(parts).Of(spec);
            using var model = Make(family, ScalarType.Float32, chosen.Contains);
            var before = model.Tensors.SelectMany(t => t.Views).ToDictionary(t => t.Name, t => t.View.clone());
            var (trainer, optimizer) = Training(model);
            for (var step = 0; step < 2; step++) trainer.Step([TokenBatch.Of(Documents())], 1e-2);
            var moved = model.Tensors.SelectMany(t => t.Views).Where(t => !Same(before[t.Name], t.View)).Select(t => t.Name);
            Assert.Equal(chosen.Order(), moved.Order());
            Assert.Equal(before.Where(t => chosen.Contains(t.Key)).Sum(t => t.Value.numel()), optimizer.Groups.Sum(group => group.Count));
        }
    }

    /// <summary>Training a part gives that part the gradients that training everything gives it.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void A_part_gets_the_gradients_that_it_gets_in_the_whole(string family)
    {
        using var scope = NewDisposeScope();
        var whole = Gradients(_ => true);
        var spec = TinyModels.Spec(family);
        var chosen = Parts($"[v_proj, layers.2.mlp, {(spec.TiedHead ? "embed_tokens" : "lm_head")}]").Of(spec);
        var part = Gradients(chosen.Contains);
        Assert.Equal(chosen.Order(), part.Keys.Order());
        foreach (var (name, gradient) in part) Close.Assert(whole[name], gradient, name);

        Dictionary<string, Tensor> Gradients(Func<string, bool> trainable)
        {
            using var model = Make(family, ScalarType.Float32, trainable);
            var moved = model.Tensors.Where(t => t.Trainable).SelectMany(t => t.Views).ToDictionary(t => t.Name, t => t.View.clone());
            // One step of plain descent in disguise: with β = 0 and a huge ε AdamW moves by rate · g / ε.
            var optimizer = new AdamW(FlatParameters.Group(model.Tensors, 0), 0, 0, 1e8);
            new Trainer(model, optimizer, maxGradientNorm: 0, recomputed: 0, seed: 0).Step([TokenBatch.Of(Documents())], 1e8);
            foreach (var (name, view) in model.Tensors.Where(t => t.Trainable).SelectMany(t => t.Views)) moved[name] = moved[name] - view;
            return moved;
        }
    }

    [Fact]
    public void A_tied_head_stays_the_embedding_and_gets_the_gradients_of_both()
    {
        using var scope = NewDisposeScope();
        using var tied = Make("qwen2", ScalarType.Float32, _ => true);
        var spec = TinyModels.Spec("qwen2");
        Assert.True(spec.TiedHead);
        using var apart = new Decoder(spec with { TiedHead = false }, new SameHead());
        var start = tied.Embedding.Weight.Value.clone();
        Descend(tied);
        Descend(apart);
        Assert.True(Same(tied.Embedding.Weight.Value, tied.Head.Parts[0].Weight.Dense()));
        var moved = (apart.Embedding.Weight.Value - start) + (apart.Head.Parts[0].Weight.Dense() - start);
        Close.Assert(moved, tied.Embedding.Weight.Value - start, "sum of both gradients", 1e-4);

        static void Descend(Decoder model)
        {
            var optimizer = new AdamW(FlatParameters.Group(model.Tensors, 0), 0, 0, 1e8);
            var trainer = new Trainer(model, optimizer, maxGradientNorm: 0, recomputed: 0, seed: 0);
            trainer.Step([TokenBatch.Of(Documents())], 1e8);
        }
    }

    /// <summary>A change far below the spacing of bfloat16 is kept in the masters, and shows once enough of it has come together.</summary>
    [Fact]
    public void Small_steps_add_up_in_the_masters_though_bfloat16_rounds_them_away()
    {
        using var scope = NewDisposeScope();
        using var model = Make("llama", ScalarType.BFloat16, _ => true);
        var before = model.Blocks[0].Tensors.First(t => t.Value.dim() == 1).Value.clone();   // norms: all 1, where the spacing below is 2⁻⁸
        var (trainer, optimizer) = Training(model);
        var masters = optimizer.Groups.Select(group => group.Values.clone()).ToArray();
        const double Rate = 1e-4;   // AdamW's first steps are as long as the rate
        trainer.Step([TokenBatch.Of(Documents())], Rate);
        Assert.True(Same(before, Norm()));
        foreach (var (old, group) in masters.Zip(optimizer.Groups))
            Assert.InRange((old - group.Values).abs().max().ToDouble(), 0.5 * Rate, 1.5 * Rate);
        for (var step = 0; step < 40; step++) trainer.Step([TokenBatch.Of(Documents())], Rate);
        Assert.False(Same(before, Norm()));
        foreach (var group in optimizer.Groups)
        {
            long start = 0;
            foreach (var tensor in group.Tensors)
            {
                var master = group.Values.narrow(0, start, tensor.Value.numel()).view(tensor.Value.shape);
                Assert.True(Same(master.to(ScalarType.BFloat16), tensor.Value), "a weight is its master, rounded");
                start += tensor.Value.numel();
            }
        }

        Tensor Norm() => model.Blocks[0].Tensors.First(t => t.Value.dim() == 1).Value;
    }

    [Fact]
    public void A_step_of_the_whole_model_leaks_no_tensor()
    {
        using var outer = NewDisposeScope();
        using var model = Make("qwen2", ScalarType.BFloat16, _ => true);
        var trainer = Training(model, recomputed: 1).Trainer;
        var batches = Documents().Chunk(2).Select(TokenBatch.Of).ToArray();
        trainer.Step(batches, 1e-3);
        var statistics = DisposeScopeManager.Statistics;
        statistics.Reset();
        for (var step = 0; step < 3; step++) trainer.Step(batches, 1e-3);
        Assert.Equal(0, statistics.ThreadTotalLiveCount);
    }

    private static bool Same(Tensor a, Tensor b) => a.eq(b).all().ToBoolean();

    /// <summary>The weights of a tied model with a head of its own that begins as the embedding.</summary>
    private sealed class SameHead() : WeightSource(Golden.Device, ScalarType.Float32, _ => true)
    {
        private readonly RandomWeights _weights = new(Golden.Device, ScalarType.Float32, _ => true, seed: 7, standardDeviation: 0.2);

        protected override Tensor Fetch(IReadOnlyList<(string Name, long[] Shape)> parts, bool writable) =>
            cat([.. parts.Select(part => _weights.Draw(part.Name == "lm_head.weight" ? Decoder.EmbeddingWeight : part.Name, part.Shape))]);
    }
}
