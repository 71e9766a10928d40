using CsCheck;
using LlmTune.Data;

namespace LlmTune.Tests.Data;

public class EpochPlanTests
{
    private static readonly Gen<(int[] Lengths, int Capacity)> Documents =
        Gen.Int[2, 64].SelectMany(capacity => Gen.Int[1, capacity].Array[1, 300].Select(lengths => (lengths, capacity)));

    private static EpochPlan Plan(int[] lengths, int capacity, PackingMode packing, bool shuffle = true, int rowsPerStep = 4, int epoch = 0) => EpochPlan.Of(
        [.. Enumerable.Range(0, lengths.Length)], d => lengths[d], new PlanSettings { Packing = packing, MaxLength = capacity, Shuffle = shuffle, RowsPerStep = rowsPerStep }, 5, epoch);

    private static List<Slice[]> Rows(EpochPlan plan) => [.. Enumerable.Range(0, plan.Rows).Select(r => plan.Row(r).ToArray())];

    [Theory]
    [InlineData(PackingMode.BestFit)]
    [InlineData(PackingMode.None)]
    [InlineData(PackingMode.Wrapped)]
    public void Every_token_of_every_document_stands_in_one_row_and_no_row_is_overfull(PackingMode packing)
    {
        Check.Sample(
            Documents,
            x =>
            {
                var plan = Plan(x.Lengths, x.Capacity, packing);
                var rows = Rows(plan);
                Assert.All(rows, row => Assert.InRange(row.Sum(p => p.Length), 1, x.Capacity));
                var next = new int[x.Lengths.Length];
                foreach (var slice in rows.SelectMany(r => r))
                {
                    Assert.Equal(next[slice.Document], slice.Start);
                    next[slice.Document] += slice.Length;
                }
                Assert.Equal(x.Lengths, next);
                Assert.Equal(x.Lengths.Sum(), plan.Tokens);
                Assert.Equal(x.Lengths.Sum() / (double)(rows.Count * x.Capacity), plan.Fill, 12);
                Assert.Equal((rows.Count + 2) / 3, plan.Steps(3));
            },
            seed: "0000000000003");
    }

    [Fact]
    public void Wrapped_fills_every_row_but_the_last()
    {
        var plan = Plan([7, 3, 9, 4], 5, PackingMode.Wrapped);
        Assert.True(plan.Joined);
        Assert.Equal(
            [[new(0, 0, 5)], [new(0, 5, 2), new(1, 0, 3)], [new(2, 0, 5)], [new(2, 5, 4), new(3, 0, 1)], [new(3, 1, 3)]],
            Rows(plan));
    }

    /// <summary>
    /// Three documents of 8 tokens of which the last 2 are trained on, in rows of 4: PPPP PPCC three times; every other row holds prompt alone.
    /// In rows of 7: PPPPPPC | CPPPPPP | CCPPPPP | PCC. The C that begins the second row is predicted by nothing, so that row has no target.
    /// In rows of 6: PPPPPP | CCPPPP | PPCCPP | PPPPCC.
    /// </summary>
    [Theory]
    [InlineData(4, new[] { 4, 12, 20 }, 12)]
    [InlineData(7, new[] { 0, 14, 21 }, 7)]
    [InlineData(6, new[] { 6, 12, 18 }, 6)]
    public void Rows_of_a_stream_without_a_target_are_left_out_and_counted(int capacity, int[] begin, long tokens)
    {
        var plan = EpochPlan.Of(
            [0, 1, 2], _ => 8, new PlanSettings { Packing = PackingMode.Wrapped, MaxLength = capacity }, 5, 0, slice => slice.Length > 0 && slice.Start + slice.Length > 6);
        Assert.Equal(begin, Rows(plan).Select(row => (row[0].Document * 8) + row[0].Start));
        Assert.Equal((((24 + capacity - 1) / capacity) - begin.Length, tokens), plan.LeftOut);
        Assert.Equal(24 - tokens, plan.Tokens);
    }

    /// <summary>Whatever is trained on: each row that is left has a target behind its first token, and those that went have none.</summary>
    [Fact]
    public void Exactly_the_rows_without_a_target_are_left_out() => Check.Sample(
        Gen.Select(Documents, Gen.Int[2, 9], Gen.Int[0, 8]),
        (x, every, at) =>
        {
            bool IsTrained(int document, int token) => ((document * 31) + token) % every == at;
            bool Any(Slice slice) => Enumerable.Range(slice.Start, slice.Length).Any(token => IsTrained(slice.Document, token));
            bool HasTarget(Slice[] row) => row.SelectMany(s => Enumerable.Range(s.Start, s.Length).Select(t => (s.Document, t))).Skip(1).Any(t => IsTrained(t.Document, t.t));
            var settings = new PlanSettings { Packing = PackingMode.Wrapped, MaxLength = x.Capacity };
            int[] order = [.. Enumerable.Range(0, x.Lengths.Length)];
            var all = Rows(EpochPlan.Of(order, d => x.Lengths[d], settings, 5, 0));
            var plan = EpochPlan.Of(order, d => x.Lengths[d], settings, 5, 0, Any);
            Assert.Equal(all.Where(HasTarget), Rows(plan));
            Assert.Equal((all.Count - plan.Rows, x.Lengths.Sum() - plan.Tokens), plan.LeftOut);
        },
        seed: "0000000000003");

    [Fact]
    public void Without_shuffling_rows_come_in_the_order_of_the_documents()
    {
        var rows = Rows(Plan([2, 9, 3, 8], 10, PackingMode.BestFit, shuffle: false));
        Assert.Equal([[3, 0], [1], [2]], rows.Select(r => r.Select(p => p.Document)));
        Assert.Equal([[0], [1], [2], [3]], Rows(Plan([2, 9, 3, 8], 10, PackingMode.None, shuffle: false)).Select(r => r.Select(p => p.Document)));
    }

    [Fact]
    public void Epochs_differ_and_each_is_the_same_again()
    {
        int[] lengths = [.. Enumerable.Range(0, 100).Select(i => 1 + i % 13)];
        Assert.Equal(Rows(Plan(lengths, 16, PackingMode.BestFit, epoch: 1)), Rows(Plan(lengths, 16, PackingMode.BestFit, epoch: 1)));
        Assert.NotEqual(Rows(Plan(lengths, 16, PackingMode.BestFit, epoch: 1)), Rows(Plan(lengths, 16, PackingMode.BestFit, epoch: 2)));
    }

    [Fact]
    public void Grouping_puts_like_lengths_in_a_step_and_the_longest_first()
    {
        var lengths = Enumerable.Range(1, 103).ToArray();
        var plan = Plan(lengths, 200, PackingMode.None, rowsPerStep: 4);
        var steps = Rows(plan).Select(r => r[0].Length).Chunk(4).ToList();
        Assert.Equal(103, steps[0].Max());
        Assert.All(steps.SkipLast(1), step => Assert.Equal(3, step.Max() - step.Min()));
        Assert.NotEqual(steps.Select(s => s.Max()).OrderDescending(), steps.Select(s => s.Max()));
        // 1 − Σ lengths ÷ Σ of four times the longest of a step, and of three times 3 for the last: 103·104/2 ÷ (4·(103+99+…+7) + 3·3).
        Assert.Equal(1 - 5356.0 / ((4 * Enumerable.Range(0, 25).Sum(i => 103 - 4 * i)) + 9), plan.Padding, 12);
    }
}
