using LlmTune.Data;

namespace LlmTune.Tests.Data;

/// <summary>The held-out ends of texts that are longer than a row.</summary>
public sealed class LongTextsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Corpus Build(DataConfig config, Collected? log = null) => Corpus.Build(
        config with { MaxLength = 16, Packing = PackingMode.Wrapped },
        new CorpusSettings { Codec = Codecs.Characters },
        (log ?? new Collected()).Logger,
        TestContext.Current.CancellationToken);

    private SourceConfig Text(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        return new SourceConfig { Path = _folder[name] };
    }

    private static string Numbers(int count) => string.Concat(Enumerable.Range(100, count).Select(i => $"{i} "));

    /// <summary>What a plan goes through, in order.</summary>
    private static string All(Corpus corpus, EpochPlan plan) =>
        Codecs.Show(Enumerable.Range(0, plan.Rows).SelectMany(row => plan.Row(row).ToArray()).SelectMany(slice => corpus.Read(slice).Ids));

    /// <summary>400 characters and EOS are 401 tokens; a tenth of them, rounded, is 40: 361 are trained on. Nothing is lost, nothing is in both.</summary>
    [Fact]
    public void One_long_text_gives_its_end()
    {
        var log = new Collected();
        var text = Numbers(100);
        using var corpus = Build(new DataConfig { Sources = [Text("book.txt", text)], Eval = new EvalConfig { Fraction = 0.1 }, Shuffle = false }, log);
        Assert.Equal(text[..361], All(corpus, corpus.Plan(0)));
        Assert.Equal(text[361..] + "‹/s›", All(corpus, corpus.EvalPlan()));
        Assert.Equal((361, 40), (corpus.Length(corpus.Training[0].Single()), corpus.Length(corpus.Eval.Single())));
        Assert.Equal((360, 39), (corpus.TrainedCount(corpus.Training[0].Single()), corpus.TrainedCount(corpus.Eval.Single())));
        Assert.Equal((1, 0), (corpus.Report.Sources[0].Eval, corpus.Report.Overlap));
        Assert.Equal([$"{_folder["book.txt"]}:1"], corpus.Eval.Select(corpus.Place));
        Assert.Contains("book.txt: held out is the end of each text that is longer than a row: 1 of 1, 40 tokens", log.Messages);
    }

    [Fact]
    public void A_count_of_one_text_is_pointed_to_the_fraction() => Assert.Equal(
        "data.eval.count holds out whole examples, and there is one; data.eval.fraction with data.packing: wrapped holds out the end of a long text",
        Assert.Throws<RequestException>(() => Build(new DataConfig { Sources = [Text("book.txt", Numbers(50))], Eval = new EvalConfig { Count = 5 } })).Message);

    [Theory]
    [InlineData(17, 16, 1, 0.1, 15)]
    [InlineData(1000, 16, 1, 0.1, 900)]
    [InlineData(1000, 16, 99, 0.1, 900)]
    [InlineData(1000, 16, 100, 0.1, null)]
    [InlineData(16, 16, 1, 0.1, null)]
    [InlineData(17, 16, 1, 0.99, 2)]
    [InlineData(3, 2, 1, 0.5, null)]
    public void The_end_begins_where_the_fraction_says(int length, int row, int documents, double fraction, int? start) =>
        Assert.Equal(start, LongTexts.HeldOutFrom(length, row, documents, fraction));

    /// <summary>Short ones are held out whole by their hash, as ever; conversations and completions are never cut.</summary>
    [Fact]
    public void Only_long_running_text_is_cut()
    {
        File.WriteAllLines(_folder["rows.jsonl"], Enumerable.Range(0, 20).Select(i => $$"""{"prompt": "{{Numbers(10)}}", "completion": "{{i}}"}"""));
        var config = new DataConfig { Sources = [Text("book.txt", Numbers(50)), Text("note.txt", "short"), new SourceConfig { Path = _folder["rows.jsonl"] }], Eval = new EvalConfig { Fraction = 0.2 } };
        using var corpus = Build(config);
        var held = corpus.Eval.Where(d => d >= corpus.Count).ToList();
        Assert.Equal(40, corpus.Length(Assert.Single(held)));
        Assert.Equal(0, corpus.SourceOf(held[0]));
        Assert.Equal(22, corpus.Training.Sum(t => t.Length) + corpus.Eval.Length - held.Count);
        Assert.Equal(201 + 6 + 20 * 42 + 10, Enumerable.Range(0, corpus.Count + 1).Sum(corpus.Length));
    }

    [Fact]
    public void The_end_of_a_text_that_is_trained_on_elsewhere_is_an_overlap()
    {
        var text = Numbers(50);
        File.WriteAllLines(_folder["many.jsonl"], Enumerable.Range(0, 200).Select(i => $$"""{"text": "{{(i == 0 ? text : $"text {i}")}}"}"""));
        using var corpus = Build(new DataConfig { Sources = [Text("book.txt", text), new SourceConfig { Path = _folder["many.jsonl"] }], Eval = new EvalConfig { Fraction = 0.1 } });
        var copyIsTrained = corpus.Training[1].Any(d => corpus.Length(d) == text.Length + 1);
        Assert.Equal(copyIsTrained ? 1 : 0, corpus.Report.Overlap);
    }

    [Fact]
    public void A_copy_that_is_left_out_gives_no_end()
    {
        var config = new DataConfig { Sources = [Text("a.txt", Numbers(50)), Text("b.txt", Numbers(50))], Eval = new EvalConfig { Fraction = 0.1 }, Deduplicate = true };
        using var corpus = Build(config);
        Assert.Equal([1, 0], corpus.Training.Select(t => t.Length));
        Assert.Equal(20, corpus.Length(Assert.Single(corpus.Eval)));
        using var both = Build(config with { Deduplicate = false });
        Assert.Equal((2, 0), (both.Eval.Length, both.Report.Overlap));
    }

    /// <summary>As nanoGPT divides it: nine tenths of the plays, then the last tenth.</summary>
    [Fact]
    public void Shakespeare_is_divided_nine_to_one()
    {
        var file = Material.Path("pretrain", "tinyshakespeare.txt");
        using var corpus = Build(new DataConfig { Sources = [new SourceConfig { Path = file }], Eval = new EvalConfig { Fraction = 0.1 } });
        var text = File.ReadAllText(file);
        // 1,115,394 characters and EOS; a tenth of them is 111,539.5.
        Assert.Equal((1_003_855, 111_540), (corpus.Length(corpus.Training[0].Single()), corpus.Length(corpus.Eval.Single())));
        Assert.Equal(text + "‹/s›", Codecs.Show(corpus[corpus.Training[0].Single()].Ids) + Codecs.Show(corpus[corpus.Eval.Single()].Ids));
    }
}
