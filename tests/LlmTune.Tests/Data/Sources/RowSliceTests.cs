using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Data.Sources;

namespace LlmTune.Tests.Data.Sources;

public class RowSliceTests
{
    /// <summary>Bounds by hand after datasets' rules (_rel_to_abs_instr of arrow_reader.py): shares rounded to the nearest row, half of one to the even one.</summary>
    [Theory]
    [InlineData("train", 10, 0, 10)]
    [InlineData("train[:3]", 10, 0, 3)]
    [InlineData("train[3:]", 10, 3, 10)]
    [InlineData("train[2:5]", 10, 2, 5)]
    [InlineData("train[-3:]", 10, 7, 10)]
    [InlineData("train[:-3]", 10, 0, 7)]
    [InlineData("train[:20%]", 10, 0, 2)]
    [InlineData("train[95%:]", 100, 95, 100)]
    [InlineData("train[:95%]", 41, 0, 39)]       // 38.95
    [InlineData("train[95%:]", 41, 39, 41)]
    [InlineData("train[:50%]", 5, 0, 2)]         // 2.5, to the even one
    [InlineData("train[:50%]", 7, 0, 4)]         // 3.5
    [InlineData("train[-10%:]", 30, 27, 30)]
    [InlineData("train[10%:20%]", 30, 3, 6)]
    [InlineData("train[:1000]", 10, 0, 10)]
    [InlineData("train[20:]", 10, 10, 10)]
    [InlineData("train[5:2]", 10, 5, 5)]
    [InlineData("train_sft[:1%]", 10, 0, 0)]
    public void Rows_are_taken_as_datasets_does(string split, long count, long from, long to)
    {
        var slice = RowSlice.Parse(split);
        Assert.Equal((split.Split('[')[0], (from, to)), (slice.Name, slice.Bounds(count)));
    }

    /// <summary>Two halves of a split are the whole of it, whatever the number of rows and the share.</summary>
    [Fact]
    public void What_two_slices_leave_to_each_other_is_nothing_and_all()
    {
        for (var count = 0L; count < 60; count++)
        {
            for (var share = 0; share <= 100; share += 5)
            {
                var (first, second) = (RowSlice.Parse($"train[:{share}%]").Bounds(count), RowSlice.Parse($"train[{share}%:]").Bounds(count));
                Assert.Equal((0, first.To, count), (first.From, second.From, second.To));
            }
        }
    }

    [Theory]
    [InlineData("train[20]", "split 'train[20]' is not understood; expected a name, or some of its rows: train[:1000], train[10%:20%], train[-100:]")]
    [InlineData("train[:5%]+test", "split 'train[:5%]+test' is not understood; expected a name, or some of its rows: train[:1000], train[10%:20%], train[-100:]; several are several sources")]
    public void Anything_else_is_refused(string split, string message) => Assert.Equal(message, Assert.Throws<RequestException>(() => RowSlice.Parse(split)).Message);

    [Theory]
    [InlineData("train[:20%]", null, "0 1")]
    [InlineData("train[80%:]", null, "8 9")]
    [InlineData("train[2:6]", 2, "2 3")]
    [InlineData("train", null, "0 1 2 3 4 5 6 7 8 9")]
    public void A_source_takes_them(string split, int? limit, string rows)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllLines(folder["rows.jsonl"], Enumerable.Range(0, 10).Select(i => $$"""{"text": "{{i}}"}"""));
        using var source = Source.Open(new SourceConfig { Path = folder["rows.jsonl"], Split = split, Limit = limit }, RowSettings.Default);
        Assert.Equal(rows, string.Join(' ', source.Rows().Select(row => row.Value.GetProperty("text").GetString())));
    }

    [Fact]
    public void A_file_is_one_split()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["rows.jsonl"], """{"text": "a"}""");
        Assert.EndsWith("is one file, which has no split 'test'; name a folder, or leave 'split' out",
            Assert.Throws<RequestException>(() => Source.Open(new SourceConfig { Path = folder["rows.jsonl"], Split = "test[:5]" }, RowSettings.Default)).Message, StringComparison.Ordinal);
    }
}
