using LlmTune.Generation;
using LlmTune.Layers;
using LlmTune.Models;

namespace LlmTune.Tests.Generation;

/// <summary>What holds for generation with any family.</summary>
public class GenerationProperties
{
    public static IEnumerable<TheoryDataRow<string>> Families => TinyModels.Families;

    private static readonly int[][] Prompts = [[5, 9, 2, 14, 33], [7], [21, 4, 4, 50, 1, 17, 30, 8]];

    [Theory]
    [MemberData(nameof(Families))]
    public void With_a_cache_equals_without(string family)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        var made = TextGenerator.Generate(model, Prompts, new GenerationOptions { MaxNewTokens = 15 });
        for (var row = 0; row < Prompts.Length; row++) Assert.Equal(WithoutCache(model, Prompts[row], 15), made[row]);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void A_batch_gives_what_its_rows_give_alone_also_when_rows_end_early(string family)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        var free = TextGenerator.Generate(model, Prompts, new GenerationOptions { MaxNewTokens = 15 });
        // A token that ends the first row in its middle.
        var options = new GenerationOptions { MaxNewTokens = 15, EndTokens = [free[0][4]] };
        var together = TextGenerator.Generate(model, Prompts, options);
        for (var row = 0; row < Prompts.Length; row++)
            Assert.Equal(TextGenerator.Generate(model, [Prompts[row]], options)[0], together[row]);
        Assert.Equal(free[0][..(Array.IndexOf(free[0], free[0][4]) + 1)], together[0]);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Sampling_is_repeatable_and_keeps_to_its_filters(string family)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Make(family);
        var options = new GenerationOptions { MaxNewTokens = 20, DoSample = true, Temperature = 1.5, Seed = 3 };
        var once = TextGenerator.Generate(model, Prompts, options);
        Assert.Equal(once, TextGenerator.Generate(model, Prompts, options));
        Assert.NotEqual(once, TextGenerator.Generate(model, Prompts, options with { Seed = 4 }));
        var greedy = TextGenerator.Generate(model, Prompts, new GenerationOptions { MaxNewTokens = 20 });
        Assert.Equal(greedy, TextGenerator.Generate(model, Prompts, options with { TopK = 1 }));
        Assert.Equal(greedy, TextGenerator.Generate(model, Prompts, options with { TopP = 1e-6 }));
        Assert.Equal(greedy, TextGenerator.Generate(model, Prompts, options with { MinP = 1 }));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Fifty_generations_leak_no_tensor(string family)
    {
        using var outer = NewDisposeScope();
        using var model = TinyModels.Make(family, layers: 2);
        var options = new GenerationOptions { MaxNewTokens = 6, DoSample = true, TopP = 0.9, RepetitionPenalty = 1.1 };
        TextGenerator.Generate(model, Prompts, options);
        DisposeScopeManager.Statistics.Reset();
        for (var i = 0; i < 50; i++) TextGenerator.Generate(model, Prompts, options);
        Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Windows_and_rotary_scalings_that_hang_on_the_length_work_with_a_cache()
    {
        using var scope = NewDisposeScope();
        var spec = TinyModels.Spec("llama");
        var attention = spec.Blocks[0].Attention;
        AttentionSpec[] kinds =
        [
            attention with { Window = 4 },
            attention with { Rope = new DynamicRope(10_000, 6, 2, 12) },
            attention with { Rope = new LinearRope(10_000, 6, 4) },
        ];
        var mixed = spec with { Blocks = [.. spec.Blocks.Select((block, i) => block with { Attention = kinds[i] })] };
        using var model = new Decoder(mixed, new RandomWeights(CPU, ScalarType.Float32, _ => false, 7, 0.2));
        int[] prompt = [5, 9, 2, 14, 33];
        var free = WithoutCache(model, prompt, 20);
        Assert.Equal(free, TextGenerator.Generate(model, [prompt], new GenerationOptions { MaxNewTokens = 20 })[0]);
    }

    [Fact]
    public void A_prompt_without_tokens_is_refused()
    {
        using var model = TinyModels.Make("llama");
        var error = Assert.Throws<RequestException>(() => TextGenerator.Generate(model, [[]], new GenerationOptions()));
        Assert.Equal("a prompt without tokens cannot be written on from; give some text", error.Message);
    }

    private static int[] WithoutCache(Decoder model, int[] prompt, int count)
    {
        var ids = prompt.ToList();
        using var _ = no_grad();
        while (ids.Count < prompt.Length + count)
        {
            using var scope = NewDisposeScope();
            using var context = model.Packed([.. Enumerable.Range(0, ids.Count)], [0, ids.Count]);
            var pass = new Pass(context);
            ids.Add((int)model.Logits(model.Forward(tensor(ids.ToArray(), ScalarType.Int64, model.Device), pass)[^1..], pass).argmax().ToInt64());
        }
        return [.. ids[prompt.Length..]];
    }
}
