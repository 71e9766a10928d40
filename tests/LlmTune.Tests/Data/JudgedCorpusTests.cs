using System.Globalization;
using LlmTune.Data;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace LlmTune.Tests.Data;

/// <summary>Judged answers from rows to batches.</summary>
public sealed class JudgedCorpusTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private SourceConfig Source(string name, params IEnumerable<string> rows)
    {
        File.WriteAllLines(_folder[name], rows);
        return new SourceConfig { Path = _folder[name] };
    }

    private static Corpus Build(DataConfig config, Judgement? takes = Judgement.Comparison, string? cache = null) => Corpus.Build(
        config, new CorpusSettings { Codec = Codecs.Characters, Takes = takes, CacheFolder = cache }, Logger.None, TestContext.Current.CancellationToken);

    private static string Refusal(DataConfig config, Judgement? takes = Judgement.None) =>
        Assert.Throws<RequestException>(() => Build(config, takes)).Message;

    private static DataConfig Of(params SourceConfig[] sources) => new() { Sources = [.. sources], MaxLength = 40 };

    private static string Pair(string prompt, string chosen, string rejected) =>
        $$"""{"prompt": "{{prompt}}", "chosen": "{{chosen}}", "rejected": "{{rejected}}"}""";

    private static IEnumerable<string> Many(int count) => Enumerable.Range(0, count).Select(
        i => Pair($"p{new string('x', i % 9)}{i}", $"c{new string('y', i % 5)}", $"r{new string('z', i % 7)}"));

    /// <summary>
    /// "p" with "ab" and "c", each with EOS: sequences of four and three tokens. Positions 0, 1, 2 of the first predict a, b, EOS, positions
    /// 0 and 1 of the second, which are 4 and 5 of the batch, c and EOS.
    /// </summary>
    [Fact]
    public void A_pair_is_two_sequences_side_by_side()
    {
        using var corpus = Build(Of(Source("rows.jsonl", Pair("p", "ab", "c"))));
        Assert.Equal((7, 5, 2, 80), (corpus.Length(0), corpus.TrainedCount(0), corpus.AnswerCount(0), corpus.RowLength));
        var step = new Batches(corpus, new BatchShape(1), 42).Next();
        Assert.Equal((5, 7, 2, 1), (step.Supervised, step.Tokens, step.Answers, step.Pairs));
        var batch = Assert.Single(step.Micro);
        Assert.Equal("pab‹/s›pc‹/s›", Codecs.Show(batch.Ids));
        Assert.Equal([0, 1, 2, 3, 0, 1, 2], batch.Positions);
        Assert.Equal([0, 4, 7], batch.Bounds);
        Assert.Equal([0, 1, 2, 4, 5], batch.Predicting);
        Assert.Equal(['a', 'b', Codecs.Eos, 'c', Codecs.Eos], batch.Targets);
        Assert.Equal([0, 3, 5], batch.SupervisedBounds());
        Assert.Equal([new JudgedAnswer(0, 1), new JudgedAnswer(1, 1)], batch.Answers);
        Assert.Equal([(0, 1)], batch.Pairs());
        Assert.Equal(2, batch.Keys.Distinct().Count());
    }

    [Fact]
    public void Ranked_answers_are_pairs_of_every_two_and_labels_none()
    {
        var lists = Source("ranked.jsonl", """{"prompt": "p", "completions": ["a", "b", "c"]}""", """{"prompt": "q", "completions": ["d", "e"]}""");
        using var ranked = Build(Of(lists) with { Shuffle = false });
        var step = new Batches(ranked, new BatchShape(4), 42).Next();
        Assert.Equal((5, 4, 120), (step.Answers, step.Pairs, ranked.RowLength));
        Assert.Equal([(0, 1), (0, 2), (1, 2), (3, 4)], step.Micro.Single().Pairs());
        Assert.Equal([0, 1, 2, 0, 1], step.Micro.Single().Answers.Select(answer => answer.Rank));

        var labels = Source("kto.jsonl", """{"prompt": "p", "completion": "a", "label": true}""", """{"prompt": "q", "completion": "b", "label": false}""");
        using var labelled = Build(Of(labels) with { Shuffle = false }, Judgement.Label);
        var rows = new Batches(labelled, new BatchShape(4), 42).Next();
        Assert.Equal((2, 0, 40), (rows.Answers, rows.Pairs, labelled.RowLength));
        Assert.Equal([true, false], rows.Micro.Single().Answers.Select(answer => answer.Desirable));
        Assert.Empty(rows.Micro.Single().Pairs());
    }

    [Theory]
    [InlineData(PackingMode.BestFit)]
    [InlineData(PackingMode.None)]
    public void Every_pair_stands_in_one_row_once_an_epoch(PackingMode packing)
    {
        using var corpus = Build(Of(Source("rows.jsonl", Many(300))) with { Packing = packing });
        var plan = corpus.Plan(0);
        var slices = Enumerable.Range(0, plan.Rows).SelectMany(row => plan.Row(row).ToArray());
        Assert.Equal(Enumerable.Range(0, 300), slices.Select(slice => slice.Document).Order());
        Assert.All(Enumerable.Range(0, plan.Rows), row => Assert.InRange(plan.Row(row).ToArray().Sum(slice => slice.Length), 1, corpus.RowLength));
        var batches = new Batches(corpus, new BatchShape(2, 2), 42);
        List<string> seen = [];
        for (var s = 0; s < batches.Steps(1); s++)
        {
            var step = batches.Next();
            Assert.Equal((step.Supervised, step.Tokens), (step.Micro.Sum(b => b.Supervised), step.Micro.Sum(b => b.Tokens)));
            Assert.Equal((step.Answers, step.Pairs), (step.Micro.Sum(b => b.Documents), step.Micro.Sum(b => b.Pairs().Count())));
            foreach (var batch in step.Micro)
            {
                Assert.Equal(batch.Predicting.Select(t => batch.Ids[t + 1]), batch.Targets);
                seen.AddRange(batch.Pairs().Select(pair => $"{Side(batch, pair.Better)} {Side(batch, pair.Worse)}"));
            }
        }
        Assert.Equal(Many(300).Select(Expected).Order(), seen.Order());

        static string Side(TokenBatch batch, int document) => Codecs.Show(batch.Ids[batch.Bounds[document]..batch.Bounds[document + 1]]);
        static string Expected(string row)
        {
            var part = row.Split('"');
            return $"{part[3]}{part[7]}‹/s› {part[3]}{part[11]}‹/s›";
        }
    }

    [Fact]
    public void A_saved_place_and_a_kept_file_give_the_same_batches()
    {
        var config = Of(Source("rows.jsonl", Many(100)));
        static string Show(StepBatches step) => string.Join('/', step.Micro.Select(b => Codecs.Show(b.Ids) + string.Join(',', b.Keys)));
        static List<string> Shown(Batches batches) => [.. Enumerable.Range(0, 12).Select(_ => Show(batches.Next()))];
        using var fresh = Build(config, cache: _folder["cache"]);
        var straight = new Batches(fresh, new BatchShape(2), 42);
        straight.Next();
        var place = straight.State;
        var expected = Shown(straight);
        using var kept = Build(config, cache: _folder["cache"]);
        Assert.Single(Directory.GetFiles(_folder["cache"]));
        var resumed = new Batches(kept, new BatchShape(2), 42);
        resumed.Restore(place);
        Assert.Equal(expected, Shown(resumed));
    }

    [Fact]
    public void Pairs_are_mixed_held_out_and_deduplicated_as_a_whole()
    {
        var config = Of(
            Source("a.jsonl", [.. Many(200), Pair("p0", "c", "r"), Pair("p0", "r", "c")]),
            Source("b.jsonl", Many(400).Skip(200)) with { Weight = 3 }) with
        {
            Eval = new EvalConfig { Fraction = 0.2 },
            Mixing = MixingMode.FirstExhausted,
            Deduplicate = true,
        };
        using var corpus = Build(config);
        Assert.Equal(1, corpus.Report.Sources.Sum(s => s.Duplicates));   // p0 the other way round is another pair
        Assert.InRange(corpus.Eval.Length, 50, 110);
        Assert.Equal(401, corpus.Eval.Length + corpus.Training.Sum(t => t.Length));
        var plan = corpus.Plan(0);
        var shares = RowBatches.Shares(corpus, plan, 0, plan.Rows);
        Assert.InRange((double)shares[1].Documents / shares[0].Documents, 2, 4.5);
        using var again = Build(config);
        Assert.Equal(corpus.Plan(3).Row(0).ToArray(), again.Plan(3).Row(0).ToArray());
        Assert.Equal(corpus.Fingerprint, again.Fingerprint);
        Assert.All(RowBatches.All(corpus, corpus.EvalPlan(), 2), batch => Assert.Equal(batch.Documents, 2 * batch.Pairs().Count()));
    }

    [Fact]
    public void What_is_too_long_or_teaches_nothing_is_told_with_its_line()
    {
        var source = Source("rows.jsonl", Pair("p", "a", "b"), Pair("question", new string('y', 50), "z"), Pair("p", "same", "same"), Pair("p", "c", "d"));
        using var dropped = Build(Of(source));
        var report = dropped.Report.Sources[0];
        Assert.Equal(
            [$"{source.Path}:2: has 59 tokens with its longest answer, there is room for 40; raise data.max_length or set data.truncation: truncate"], report.TooLong.First);
        Assert.Equal([$"{source.Path}:3: has two answers that are the same"], report.NothingToTrain.First);
        Assert.Equal((2, 59 + 10), (report.Documents, report.TokensLost));   // question with 50 and EOS, question with z and EOS

        using var cut = Build(Of(source) with { Truncation = TruncationMode.Truncate });
        Assert.Equal([$"{source.Path}:2: lost 19 of 69 tokens"], cut.Report.Sources[0].Truncated.First);
        Assert.Equal($"question|{new string('y', 31)}‹/s›|z‹/s›", Codecs.Show(cut.Judged(1)));

        var raised = Assert.Throws<RequestException>(() => Build(Of(source) with { Truncation = TruncationMode.Raise })).Message;
        Assert.StartsWith("rows.jsonl: a row cannot be trained on\n", raised, StringComparison.Ordinal);
        var alike = Pair("p", new string('y', 50) + "1", new string('y', 50) + "2");
        using var same = Build(Of(Source("alike.jsonl", alike, Pair("p", "a", "b"))) with { Truncation = TruncationMode.Truncate });
        Assert.Equal([$"{_folder["alike.jsonl"]}:1: has two answers that are the same within 40 tokens"], same.Report.Sources[0].NothingToTrain.First);
    }

    [Fact]
    public void Settings_of_masks_that_do_nothing_are_told()
    {
        using var log = new StringWriter();
        using var logger = new LoggerConfiguration().WriteTo.Sink(new Messages(log)).CreateLogger();
        using var corpus = Corpus.Build(
            Of(Source("rows.jsonl", Pair("p", "a", "b"))) with { TrainOnPrompt = true },
            new CorpusSettings { Codec = Codecs.Characters, Takes = null }, logger, TestContext.Current.CancellationToken);
        Assert.Equal("train_on_prompt, mask_history and roles_to_train do nothing here: of judged answers all counts, and of their prompts nothing\n", log.ToString());
        Assert.Equal([false, true, true], corpus.Sequences(0).First().Trained);
    }

    [Fact]
    public void Judged_answers_are_not_imitated_unasked()
    {
        Assert.Equal(
            "rows.jsonl: its rows hold a chosen and a rejected answer, which are not both to be imitated; to train on the chosen ones map them, as in "
            + "columns: { question: prompt, answer: chosen }",
            Refusal(Of(Source("rows.jsonl", Pair("p", "a", "b")))));
        Assert.Equal(
            "kto.jsonl: its rows say by 'label' whether an answer is good; bad ones are not to be imitated. Leave them out of the file, or set 'format' to train on all",
            Refusal(Of(Source("kto.jsonl", """{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}], "label": false}"""))));
        Assert.Equal(
            "ranked.jsonl: its rows hold several answers from the best to the worst, which are not all to be imitated; to train on the best ones map them, as in "
            + "columns: { question: prompt, answer: responses.0 }",
            Refusal(Of(Source("ranked.jsonl", """{"prompt": "p", "responses": ["a", "b"]}"""))));
        var columns = (KeyValuePair<string, string>[])[new("prompt", "prompt"), new("completion", "chosen")];
        using var chosen = Build(Of(Source("rows.jsonl", Pair("p", "a", "b")) with { Columns = new(columns) }), Judgement.None);
        Assert.Equal("pa‹/s›", Codecs.Show(chosen[0].Ids));
    }

    [Fact]
    public void A_run_learns_from_one_kind_of_examples()
    {
        var config = Of(
            Source("pairs.jsonl", Pair("p", "a", "b")),
            Source("sft.jsonl", """{"prompt": "p", "completion": "c"}"""),
            Source("kto.jsonl", """{"prompt": "p", "completion": "a", "label": true}"""));
        const string Mixed = """
            the sources hold examples of several kinds, and a run learns from one:
              pairs.jsonl: preference, answers that are compared
              sft.jsonl: prompt_completion, examples to imitate
              kto.jsonl: kto, answers that are said to be good or bad
              leave the others out, or make a run of each
            """;
        Assert.Equal(Mixed.ReplaceLineEndings("\n"), Refusal(config, takes: null));
        Assert.Equal(
            "the objective learns from answers that are said to be good or bad, and these sources hold others:\n  pairs.jsonl: preference, answers that are "
            + "compared\n  sft.jsonl: prompt_completion, examples to imitate\n  leave them out",
            Refusal(config, Judgement.Label));
        Assert.Equal(["pairs.jsonl:", "kto.jsonl:"], Refusal(config).Split('\n').Select(line => line.Split(' ')[0]));   // each with its own advice
        Assert.Equal(
            "data.packing: wrapped cuts one stream of text, and answers that are judged have to stay whole; set data.packing: true or false",
            Refusal(Of(Source("pairs.jsonl", Pair("p", "a", "b"))) with { Packing = PackingMode.Wrapped }, takes: null));
    }

    private sealed class Messages(StringWriter text) : ILogEventSink
    {
        public void Emit(LogEvent logEvent)
        {
            if (logEvent.Level >= LogEventLevel.Warning) text.Write(logEvent.RenderMessage(CultureInfo.InvariantCulture) + "\n");
        }
    }
}
