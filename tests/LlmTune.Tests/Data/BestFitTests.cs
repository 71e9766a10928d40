using CsCheck;
using LlmTune.Data;

namespace LlmTune.Tests.Data;

public class BestFitTests
{
    /// <summary>Longest first: 8 opens a row, 7 opens another, the first 2 goes where least room is left (beside 8), the second beside 7.</summary>
    [Fact]
    public void A_small_case_by_hand() => Assert.Equal([[3, 0], [2, 1]], BestFit.Pack([2, 2, 7, 8], 10));

    [Fact]
    public void Of_equal_rooms_the_one_that_has_had_it_longest_is_taken() => Assert.Equal([[0, 2], [1, 3]], BestFit.Pack([6, 6, 4, 4], 10));

    [Fact]
    public void Every_document_is_placed_once_and_no_row_is_overfull()
    {
        Check.Sample(
            Gen.Int[1, 100].SelectMany(capacity => Gen.Int[0, capacity].Array[0, 200].Select(lengths => (capacity, lengths))),
            x =>
            {
                var rows = BestFit.Pack(x.lengths, x.capacity);
                Assert.Equal(Enumerable.Range(0, x.lengths.Length).Where(i => x.lengths[i] > 0), rows.SelectMany(r => r).Order());
                Assert.All(rows, row => Assert.InRange(row.Sum(i => x.lengths[i]), 1, x.capacity));
                // No two rows could be one: best fit never opens a row while another has room, so at most one is half empty.
                Assert.True(rows.Count(row => row.Sum(i => x.lengths[i]) * 2 <= x.capacity) <= 1);
            },
            seed: "0000000000002");
    }

    [Fact]
    public void What_is_longer_than_a_row_is_a_mistake_of_the_caller() =>
        Assert.Throws<ArgumentException>(() => BestFit.Pack([3, 11], 10));
}
