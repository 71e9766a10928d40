using LlmTune.Training;

namespace LlmTune.Tests.Training;

public class MemoryPlanTests
{
    /// <summary>Width 24, inner 40, four heads of 6, two of keys: worked by hand.</summary>
    [Fact]
    public void A_step_of_a_small_model_by_hand()
    {
        var spec = TinyModels.Spec("llama");
        // A block: q 24·24, k and v 12·24, o 24·24, three of 40·24, two norms of 24; ends 2 · 61·24; last norm 24.
        const long Block = 576 + 288 + 288 + 576 + 3 * 960 + 48, Parameters = 3 * Block + 2 * 1464 + 24;
        Assert.Equal(Parameters, spec.Parameters);
        const long Tokens = 10;
        // float32 numbers a token: 6·24 of norms, 3·36 and 2·24 of attention; 3·24 + 4·40 + 36 in the model's type.
        const long Float32Block = Tokens * ((144 + 108 + 48) * 4 + (72 + 160 + 36) * 4), BFloat16Block = Tokens * ((144 + 108 + 48) * 4 + (72 + 160 + 36) * 2);
        var full = new TrainedShare(Parameters, OfModel: true, FirstBlock: 0, Head: true);

        var float32 = MemoryPlan.Estimate(spec, ScalarType.Float32, full, Tokens, chunk: 4, wanted: 0, free: long.MaxValue);
        Assert.Equal(new MemoryEstimate(4 * Parameters, 12 * Parameters, 3 * Float32Block, (4 * 61 * 8) + (1464 * 4), 0), float32);

        // 16 bits: gradients of 2 bytes beside; masters, gradients and two moments of 4.
        var bfloat16 = MemoryPlan.Estimate(spec, ScalarType.BFloat16, full, Tokens, chunk: 100, wanted: 2, free: long.MaxValue);
        Assert.Equal(new MemoryEstimate(2 * Parameters, 18 * Parameters, (2 * Tokens * 24 * 2) + (2 * BFloat16Block), (10 * 61 * 12) + (1464 * 2), 2), bfloat16);

        // The last block alone; and an adapter, whose values are float32.
        var last = MemoryPlan.Estimate(spec, ScalarType.Float32, new TrainedShare(Block, true, 2, false), Tokens, 4, 0, long.MaxValue);
        Assert.Equal((12 * Block, Float32Block, 4L * 61 * 8), (last.Training, last.Activations, last.Head));
        var adapter = MemoryPlan.Estimate(spec, ScalarType.BFloat16, new TrainedShare(100, false, 0, false), Tokens, 4, 0, long.MaxValue);
        Assert.Equal(1600, adapter.Training);
        Assert.Equal(adapter.Weights + adapter.Training + adapter.Activations + adapter.Head, adapter.Total);
    }

    [Fact]
    public void The_less_is_free_the_more_is_computed_again()
    {
        var spec = TinyModels.Spec("llama");
        var share = new TrainedShare(spec.Parameters, true, 0, true);
        int Recomputed(long free) => MemoryPlan.Estimate(spec, ScalarType.Float32, share, 1000, 128, wanted: null, free).Recomputed;
        var needed = MemoryPlan.Estimate(spec, ScalarType.Float32, share, 1000, 128, wanted: 0, long.MaxValue);
        var fixedPart = needed.Weights + needed.Training + needed.Head;
        Assert.Equal(0, Recomputed(fixedPart + 2 * needed.Activations));
        Assert.InRange(Recomputed(fixedPart + needed.Activations), 1, 2);
        Assert.Equal(3, Recomputed(fixedPart));
    }

    [Fact]
    public void As_many_blocks_are_recomputed_as_the_memory_asks_for()
    {
        var spec = TinyModels.Spec("llama", layers: 4);
        var one = MemoryPlan.BytesOfBlock(spec, 0, tokens: 100, ScalarType.Float32);
        int Recomputed(double blocks) => MemoryPlan.Recomputed(spec, null, 100, ScalarType.Float32, (long)(one * blocks / 0.6));
        Assert.Equal([4, 3, 2, 0, 0], new[] { 0.5, 1.5, 2.5, 4.5, 9 }.Select(Recomputed));
        Assert.Equal(2, MemoryPlan.Recomputed(spec, 2, 100, ScalarType.Float32, 0));
        Assert.Equal(4, MemoryPlan.Recomputed(spec, int.MaxValue, 100, ScalarType.Float32, long.MaxValue));
    }
}
