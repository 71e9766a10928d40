using LlmTune.Data;
using Serilog.Core;

namespace LlmTune.Tests.Data;

public sealed class BatchesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private Corpus Build(int rows, PackingMode packing = PackingMode.BestFit, int maxLength = 40)
    {
        File.WriteAllLines(_folder["rows.jsonl"], Enumerable.Range(0, rows).Select(i => $$"""{"prompt": "p{{new string('x', i % 7)}}", "completion": "c{{i}}"}"""));
        var config = new DataConfig { Sources = [new SourceConfig { Path = _folder["rows.jsonl"] }], MaxLength = maxLength, Packing = packing };
        return Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters }, Logger.None, TestContext.Current.CancellationToken);
    }

    private static string Show(StepBatches step) => string.Join(
        " / ", step.Micro.Select(b => $"{Codecs.Show(b.Ids)} [{string.Join(",", b.Bounds)}] {string.Join(",", b.Predicting)} {string.Join(",", b.Keys)}")) + $" {step.Supervised} {step.Tokens} {step.Progress}";

    [Theory]
    [InlineData(PackingMode.BestFit)]
    [InlineData(PackingMode.None)]
    [InlineData(PackingMode.Wrapped)]
    public void An_epoch_holds_every_token_once_and_its_last_step_takes_what_is_left(PackingMode packing)
    {
        using var corpus = Build(101, packing);
        var batches = new Batches(corpus, new BatchShape(2, 3), 42);
        var steps = batches.Steps(1);
        var rows = batches.Plan.Rows;
        List<StepBatches> epoch = [.. Enumerable.Range(0, steps).Select(_ => batches.Next())];
        Assert.Equal((rows + 5) / 6, steps);
        Assert.All(epoch, s => Assert.Equal(0, s.Epoch));
        Assert.Equal(1.0, epoch[^1].Progress);
        Assert.Equal(Enumerable.Range(0, 101).Sum(corpus.Length), epoch.Sum(s => s.Micro.Sum(b => b.Tokens)));
        Assert.All(epoch, s => Assert.Equal((s.Supervised, s.Tokens), (s.Micro.Sum(b => b.Supervised), s.Micro.Sum(b => b.Tokens))));
        Assert.Equal(1, batches.Next().Epoch);
    }

    [Theory]
    [InlineData(PackingMode.BestFit)]
    [InlineData(PackingMode.Wrapped)]
    public void Labels_are_the_tokens_that_follow(PackingMode packing)
    {
        using var corpus = Build(50, packing);
        var batches = new Batches(corpus, new BatchShape(3), 42);
        for (var s = 0; s < batches.Steps(1); s++)
        {
            foreach (var batch in batches.Next().Micro)
            {
                Assert.Equal(batch.Predicting.Select(t => batch.Ids[t + 1]), batch.Targets);
                Assert.DoesNotContain(batch.Predicting, t => batch.Bounds.Contains(t + 1));
                Assert.All(batch.Targets, target => Assert.True(target is Codecs.Eos or 'c' or (>= '0' and <= '9') || packing == PackingMode.Wrapped));
            }
        }
    }

    /// <summary>Prompts far longer than a row, so that rows, micro-batches and whole steps would lie in a prompt: every batch has a target all the same.</summary>
    [Theory]
    [InlineData(6, 256, 4, 64, 1, 1)]
    [InlineData(8, 100, 16, 11, 2, 2)]
    [InlineData(8, 115, 1, 11, 4, 1)]
    [InlineData(3, 300, 1, 7, 1, 3)]
    [InlineData(5, 20, 300, 16, 2, 1)]
    public void Of_a_cut_stream_every_row_has_a_target(int rows, int prompt, int completion, int maxLength, int batch, int accumulation)
    {
        File.WriteAllLines(_folder["long.jsonl"], Enumerable.Range(0, rows).Select(i => $$"""{"prompt": "{{new string('p', prompt)}}", "completion": "{{new string((char)('a' + i), completion)}}"}"""));
        var config = new DataConfig { Sources = [new SourceConfig { Path = _folder["long.jsonl"] }], MaxLength = maxLength, Packing = PackingMode.Wrapped };
        using var corpus = Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters }, Logger.None, TestContext.Current.CancellationToken);
        var batches = new Batches(corpus, new BatchShape(batch, accumulation), 42);
        var steps = Enumerable.Range(0, batches.Steps(1)).Select(_ => batches.Next()).ToList();
        Assert.All(steps.SelectMany(step => step.Micro), micro => Assert.All(micro.SupervisedBounds().Zip(micro.SupervisedBounds().Skip(1)), row => Assert.True(row.Second > row.First)));
        var total = rows * (prompt + completion + 1);
        Assert.Equal(total, steps.Sum(step => step.Tokens) + batches.Plan.LeftOut.Tokens);
        Assert.True(batches.Plan.LeftOut.Rows > 0 || completion > prompt);
        // Lost is what begins a row, and nothing else of what is trained on.
        var firsts = (total + maxLength - 1) / maxLength;
        Assert.InRange(steps.Sum(step => step.Supervised), (rows * (completion + 1)) - firsts, rows * (completion + 1));
    }

    [Fact]
    public void Where_no_row_has_a_target_the_error_says_so()
    {
        File.WriteAllLines(_folder["long.jsonl"], ["""{"prompt": "pp", "completion": "c"}"""]);   // pp | c
        var config = new DataConfig { Sources = [new SourceConfig { Path = _folder["long.jsonl"] }], MaxLength = 2, Packing = PackingMode.Wrapped };
        using var corpus = Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters with { Eos = null } }, Logger.None, TestContext.Current.CancellationToken);
        var error = Assert.Throws<RequestException>(() => new Batches(corpus, new BatchShape(1), 42));
        Assert.Equal("no row of 2 tokens holds a token to train on; raise data.max_length, or take data.packing: true", error.Message);
    }

    [Fact]
    public void A_saved_place_gives_the_same_batches_again_also_for_another_division()
    {
        using var corpus = Build(200);
        var straight = new Batches(corpus, new BatchShape(2, 2), 42);
        for (var s = 0; s < straight.Steps(1) + 2; s++) straight.Next();
        var place = straight.State;
        Assert.Equal((1, 8), (place.Epoch, place.Row));
        var expected = Enumerable.Range(0, 20).Select(_ => Show(straight.Next())).ToList();

        var resumed = new Batches(corpus, new BatchShape(2, 2), 42);
        resumed.Restore(place);
        Assert.Equal(place, resumed.State);
        Assert.Equal(expected, Enumerable.Range(0, 20).Select(_ => Show(resumed.Next())));

        var halved = new Batches(corpus, new BatchShape(1, 4), 42);
        halved.Restore(place);
        var (two, one) = (straight, halved);
        two.Restore(place);
        for (var s = 0; s < 5; s++)
        {
            var (a, b) = (two.Next(), one.Next());
            Assert.Equal(a.Supervised, b.Supervised);
            Assert.Equal(a.Micro.SelectMany(m => m.Ids), b.Micro.SelectMany(m => m.Ids));
        }
    }

    [Fact]
    public void Processes_share_a_step_without_overlap()
    {
        using var corpus = Build(90);
        var alone = new Batches(corpus, new BatchShape(2, 4), 42);
        var pair = (First: new Batches(corpus, new BatchShape(2, 2, 0, 2), 42), Second: new Batches(corpus, new BatchShape(2, 2, 1, 2), 42));
        for (var s = 0; s < alone.Steps(1); s++)
        {
            var (whole, first, second) = (alone.Next(), pair.First.Next(), pair.Second.Next());
            Assert.Equal(whole.Supervised, first.Supervised);
            Assert.Equal(whole.Supervised, first.Micro.Concat(second.Micro).Sum(m => m.Supervised));
            Assert.Equal(whole.Micro.SelectMany(m => m.Keys).Order(), first.Micro.Concat(second.Micro).SelectMany(m => m.Keys).Order());
        }
    }

    [Fact]
    public void A_fraction_of_an_epoch_has_a_fraction_of_its_steps()
    {
        using var corpus = Build(100, PackingMode.None);
        var batches = new Batches(corpus, new BatchShape(4), 42);
        Assert.Equal((25, 13, 63), (batches.Steps(1), batches.Steps(0.5), batches.Steps(2.5)));
    }

    [Fact]
    public void A_place_in_other_data_is_refused()
    {
        using var corpus = Build(100);
        var batches = new Batches(corpus, new BatchShape(4), 42);
        var seed = Assert.Throws<RequestException>(() => batches.Restore(batches.State with { Seed = 7 }));
        Assert.Equal("the checkpoint's order of data has seed 7, this run's is 42; set training.data_seed to 7", seed.Message);
        using var other = Build(101);
        var data = Assert.Throws<RequestException>(() => new Batches(other, new BatchShape(4), 42).Restore(batches.State));
        Assert.StartsWith($"the checkpoint belongs to other data (fingerprint {corpus.Fingerprint}, this run's is {other.Fingerprint}): ", data.Message, StringComparison.Ordinal);
        using var wider = Build(100, maxLength: 41);
        Assert.Throws<RequestException>(() => new Batches(wider, new BatchShape(4), 42).Restore(batches.State));
        using var same = Build(100);
        new Batches(same, new BatchShape(2), 42).Restore(batches.State);
    }
}
