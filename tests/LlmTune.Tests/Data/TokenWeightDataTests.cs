using System.Globalization;
using LlmTune.Data;
using Serilog.Core;

namespace LlmTune.Tests.Data;

/// <summary>Weights of turns and tokens on their way from the row to the batch.</summary>
public sealed class TokenWeightDataTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private Corpus Build(DataConfig settings, params string[] rows)
    {
        File.WriteAllLines(_folder["rows.jsonl"], rows);
        return Corpus.Build(
            settings with { Sources = [new SourceConfig { Path = _folder["rows.jsonl"] }] }, new CorpusSettings { Codec = Codecs.Characters, CacheFolder = _folder["cache"] }, Logger.None,
            TestContext.Current.CancellationToken);
    }

    private static DataConfig Settings { get; } = new() { Sources = [new SourceConfig { Path = "" }], Shuffle = false };

    /// <summary>The weight of each trained token; dots for the others.</summary>
    private static string Show(Document document) => string.Join(' ', document.Ids.Select((_, t) =>
        document.Trained[t] ? (document.Weights?[t] ?? 1).ToString(CultureInfo.InvariantCulture) : "."));

    [Fact]
    public void Tokenized_rows_say_what_each_token_counts()
    {
        string[] rows =
        [
            """{"input_ids": [1, 2, 3, 4], "labels": [-100, 2, 3, 4], "loss_weights": [1, 0.5, 0, 2]}""",
            """{"input_ids": [5, 6, 7], "loss_scale": [1, 1, 1]}""",
            """{"input_ids": [8, 9]}""",
            """{"input_ids": [1, 2, 3], "loss_weights": [0, 0, 1]}""",
        ];
        foreach (var _ in (int[])[1, 2])   // the second time from the cache
        {
            using var corpus = Build(Settings, rows);
            Assert.Equal([". 0.5 . 2", "1 1 1", "1 1", ". . 1"], Enumerable.Range(0, 4).Select(d => Show(corpus[d])));
            Assert.Equal([true, false, false, false], Enumerable.Range(0, 4).Select(d => corpus[d].Weights is not null));
            Assert.Equal(". 2", Show(corpus.Read(new Slice(0, 2, 2))));
            Assert.Equal(6, corpus.Report.Sources[0].Trained);
            var batch = RowBatches.Of(corpus, corpus.Plan(0), 0, corpus.Plan(0).Rows);
            Assert.Equal(batch.Supervised, batch.Weights.Length);
            Assert.Equal([0.5f, 2], batch.Weights.Zip(batch.Targets).Where(t => t.Second is 2 or 4).Select(t => t.First).Take(2));
        }
    }

    /// <summary>A row cut from a stream holds documents with weights and without.</summary>
    [Fact]
    public void Rows_of_a_stream_keep_them()
    {
        using var corpus = Build(
            Settings with { Packing = PackingMode.Wrapped, MaxLength = 4 },
            """{"input_ids": [1, 2, 3]}""", """{"input_ids": [4, 5, 6], "loss_weights": [0.5, 0.25, 2]}""", """{"input_ids": [7, 8]}""");
        var batch = RowBatches.Of(corpus, corpus.Plan(0), 0, 2);
        Assert.Equal([2, 3, 4, 6, 7, 8], batch.Targets);
        Assert.Equal([1, 1, 0.5f, 2, 1, 1], batch.Weights);
    }

    [Fact]
    public void A_turn_gives_its_tokens_its_factor()
    {
        using var corpus = Build(
            Settings,
            """{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "ab", "loss_scale": 0.5}, {"role": "user", "content": "v"}, {"role": "assistant", "content": "c"}]}""",
            """{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a", "weight": 1}]}""");
        Assert.Equal("0.5 0.5 0.5 1 1", Show(corpus[0]).Replace(". ", "", StringComparison.Ordinal).Replace(" .", "", StringComparison.Ordinal));
        Assert.Null(corpus[1].Weights);
    }

    /// <summary>A long answer that is cut keeps its end, and each token what it counts.</summary>
    [Fact]
    public void Cutting_keeps_them()
    {
        var tokens = new Tokens([.. Enumerable.Range(0, 12)], [.. Enumerable.Range(0, 12).Select(t => t > 1)]) { Weights = [.. Enumerable.Range(0, 12).Select(t => t / 2f)] };
        foreach (var limit in Enumerable.Range(2, 10))
        {
            var cut = LengthLimit.Cut(tokens, limit, bos: null);
            Assert.Equal(cut.Ids.Select(id => id / 2f), cut.Weights!);
        }
        Assert.Equal([0, 0.5f], LengthLimit.Start(tokens, 2).Weights!);
    }

    [Theory]
    [InlineData("[1, 2]", "'loss_weights' has 2 entries, 'input_ids' has 3")]
    [InlineData("[1, -1, 1]", "'loss_weights' holds the number -1 at position 1, expected numbers from 0")]
    [InlineData("[1, \"x\", 1]", "'loss_weights' holds a text at position 1, expected numbers from 0")]
    [InlineData("0.5", "'loss_weights' is the number 0.5, expected a list of numbers")]
    public void Weights_that_are_none_are_refused(string weights, string message)
    {
        var e = Assert.Throws<RequestException>(() => Build(Settings, $$"""{"input_ids": [1, 2, 3], "loss_weights": {{weights}}}"""));
        Assert.Contains($"rows.jsonl:1: {message}", e.Message, StringComparison.Ordinal);
    }
}
