using LlmTune.Data;
using Serilog;
using Serilog.Core;

namespace LlmTune.Tests.Data;

public sealed class CorpusTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private SourceConfig Source(string name, params IEnumerable<string> rows)
    {
        File.WriteAllLines(_folder[name], rows);
        return new SourceConfig { Path = _folder[name] };
    }

    private static string Pair(string prompt, string completion) => $$"""{"prompt": "{{prompt}}", "completion": "{{completion}}"}""";

    private static Corpus Build(DataConfig config, ILogger? log = null, long seed = 42) =>
        Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters, Seed = seed }, log ?? Logger.None, TestContext.Current.CancellationToken);

    private static string Refusal(DataConfig config) => Assert.Throws<RequestException>(() => Build(config)).Message;

    private static DataConfig Of(params SourceConfig[] sources) => new() { Sources = [.. sources] };

    private static IEnumerable<string> Many(int count) => Enumerable.Range(0, count).Select(i => Pair($"question {i}", $"answer {i * 7 % 1000}"));

    [Fact]
    public void Documents_come_in_the_order_of_the_rows_whatever_the_number_of_threads()
    {
        var source = Source("rows.jsonl", Many(1000));
        using var one = Build(Of(source) with { NumProc = 1 });
        using var eight = Build(Of(source) with { NumProc = 8 });
        Assert.Equal(1000, one.Count);
        for (var d = 0; d < one.Count; d++)
        {
            Assert.Equal($"question {d}answer {d * 7 % 1000}‹/s›", Codecs.Show(one[d].Ids));
            Assert.Equal(one[d].Ids, eight[d].Ids);
            Assert.Equal(one[d].Trained, eight[d].Trained);
            Assert.Equal(one[d].Key, eight[d].Key);
            Assert.Equal($"{source.Path}:{d + 1}", one.Place(d));
        }
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(d => one[d].Key).Distinct().Count());
    }

    /// <summary>Keys that the template does not read and OpenAI does not know, and wishes to be trained on that are not followed; each row counts once.</summary>
    [Fact]
    public void Keys_of_messages_that_do_nothing_are_counted_and_said()
    {
        static string Row(string user, string answer) => $$"""{"messages": [{"role": "user", "content": "u"{{user}}}, {"role": "assistant", "content": "a"{{answer}}}]}""";
        var source = Source("chats.jsonl",
            Row(", \"weight\": 1", ", \"weight\": 1, \"votes\": 3"), Row(", \"votes\": 1", ", \"votes\": 2, \"name\": \"n\""), Row(", \"loss\": true, \"votes\": null", ", \"mood\": \"glad\""), Row("", ""));
        var log = new Collected();
        var settings = new CorpusSettings { Codec = Codecs.Characters with { Reads = name => name == "mood" } };
        using var corpus = Corpus.Build(Of(source), settings, log.Logger, TestContext.Current.CancellationToken);
        Assert.Equal([("loss of user", 1), ("votes", 2), ("weight of user", 1)], corpus.Report.Sources[0].UnusedKeys.OrderBy(k => k.Key, StringComparer.Ordinal).Select(k => (k.Key, (int)k.Value)));
        Assert.Contains("chats.jsonl: keys of messages that do nothing here: loss of user in 1 row, votes in 2 rows, weight of user in 1 row", log.Messages);
        Assert.All(Enumerable.Range(0, 4), d => Assert.Equal("a›", Codecs.ShowTrained(corpus[d].Ids, corpus[d].Trained).Replace(".", "", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_report_counts_what_became_of_every_row()
    {
        var source = Source("rows.jsonl", Pair("p", "abc"), Pair("p", new string('x', 30)), "{\"prompt\": 1, \"completion\": \"c\"}", Pair("p", ""), "no json", Pair("pq", "ab"), "");
        using var corpus = Build(Of(source) with { MaxLength = 20, OnError = OnError.Skip });
        var report = Assert.Single(corpus.Report.Sources);
        Assert.Equal(("rows.jsonl", "prompt_completion"), (report.Label, report.Format));
        Assert.Equal((6, 2), (report.Rows, report.Documents));
        // "pabc</s>" and "pqab</s>": five tokens each, four and three of them trained on.
        Assert.Equal((10, 7, 32), (report.Tokens, report.Trained, report.Longest));
        Assert.Equal(2, report.Malformed.Count);
        Assert.Equal($"{source.Path}:3: 'prompt' is the number 1, expected a text", report.Malformed.First[0]);
        Assert.Equal(1, report.TooLong.Count);
        Assert.Equal($"{source.Path}:2: has 32 tokens, a row holds 20; raise data.max_length or set data.truncation: truncate", report.TooLong.First[0]);
        Assert.Equal([$"{source.Path}:4: has no token to train on"], report.NothingToTrain.First);
        Assert.Equal(32, report.TokensLost);
    }

    [Fact]
    public void Too_long_rows_are_dropped_cut_or_refused()
    {
        var source = Source("rows.jsonl", Pair("prompt", new string('x', 30)), Pair("p", "a"));
        using (var dropped = Build(Of(source) with { MaxLength = 20 })) Assert.Equal(1, dropped.Count);
        using (var cut = Build(Of(source) with { MaxLength = 20, Truncation = TruncationMode.Truncate }))
        {
            Assert.Equal("promptxxxxxxxxxxxxx‹/s›", Codecs.Show(cut[0].Ids));
            Assert.Equal((1, 17), (cut.Report.Sources[0].Truncated.Count, cut.Report.Sources[0].TokensLost));
        }
        Assert.Equal(
            $"rows.jsonl: a row cannot be trained on\n  {source.Path}:1: has 37 tokens, a row holds 20; raise data.max_length or set data.truncation: truncate",
            Refusal(Of(source) with { MaxLength = 20, Truncation = TruncationMode.Raise }));
        using var wrapped = Build(Of(source) with { MaxLength = 20, Packing = PackingMode.Wrapped });
        Assert.Equal(2, wrapped.Count);
        Assert.Equal(37 + 3, wrapped.Plan(0).Tokens);
    }

    [Fact]
    public void Bad_rows_stop_the_run_with_the_first_five_of_them()
    {
        var source = Source("rows.jsonl", Many(3).Concat(Enumerable.Repeat("{\"prompt\": \"p\"}", 9)));
        Assert.Equal(
            string.Join('\n', (IEnumerable<string>)
            [
                "rows.jsonl: 5 rows or more cannot be trained on",
                .. Enumerable.Range(4, 5).Select(line => $"  {source.Path}:{line}: has no 'completion'; found prompt"),
                "  correct them, or set data.on_error: skip to leave such rows out and count them",
            ]),
            Refusal(Of(source with { Format = "prompt_completion" })));
    }

    [Fact]
    public void What_leaves_nothing_is_refused_with_the_table()
    {
        var message = Refusal(Of(Source("rows.jsonl", Pair("p", "")) with { Label = "empty answers" }));
        Assert.StartsWith("empty answers: no row is left\nsource         format ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_may_be_megabytes_long()
    {
        var completion = string.Concat(Enumerable.Repeat("ab ", 1_000_000));
        using var corpus = Build(Of(Source("rows.jsonl", Pair("p", "a"), Pair("p", completion), Pair("p", "b"))) with { MaxLength = 1 << 22 });
        Assert.Equal([3, 3_000_002, 3], Enumerable.Range(0, 3).Select(corpus.Length));
        Assert.Equal($"p{completion}‹/s›", Codecs.Show(corpus[1].Ids));
    }

    [Fact]
    public void A_limit_takes_the_first_rows()
    {
        using var corpus = Build(Of(Source("rows.jsonl", Many(100)) with { Limit = 7 }));
        Assert.Equal((7, 7), (corpus.Count, corpus.Report.Sources[0].Rows));
    }

    [Fact]
    public void Held_out_rows_are_chosen_by_what_they_say()
    {
        HashSet<string> Held(Corpus corpus) => [.. corpus.Eval.Select(d => Codecs.Show(corpus[d].Ids))];
        var config = Of(Source("rows.jsonl", Many(1000))) with { Eval = new EvalConfig { Fraction = 0.1 } };
        using var corpus = Build(config);
        var held = Held(corpus);
        Assert.InRange(held.Count, 60, 140);
        Assert.Equal(1000, corpus.Training[0].Length + corpus.Eval.Length);
        Assert.Empty(corpus.Training[0].Intersect(corpus.Eval));

        using var reversed = Build(Of(Source("rows.jsonl", Many(1000).Reverse())) with { Eval = config.Eval });
        Assert.Equal(held, Held(reversed));
        using var counted = Build(config with { Eval = new EvalConfig { Count = 17 } });
        Assert.Equal(17, counted.Eval.Length);
        using var fewer = Build(Of(Source("rows.jsonl", Many(900))) with { Eval = config.Eval });
        Assert.Subset(held, Held(fewer));
        Assert.Equal("data.eval.count is 1,000 and there are 1,000 examples: nothing would be left to train on", Refusal(Of(Source("rows.jsonl", Many(1000))) with { Eval = new EvalConfig { Count = 1000 } }));
    }

    [Fact]
    public void Overlap_of_the_held_out_rows_and_duplicates_are_found()
    {
        var log = new Collected();
        var config = Of(Source("a.jsonl", [.. Many(10), .. Many(4)]), Source("b.jsonl", Many(2))) with
        {
            Eval = new EvalConfig { Sources = [Source("eval.jsonl", Many(5).Append(Pair("new", "row")))] },
        };
        using var corpus = Build(config, log.Logger);
        Assert.Equal((5, 6), (corpus.Report.Overlap, corpus.Eval.Length));
        Assert.Equal([4, 2, 0], corpus.Report.Sources.Select(s => s.Duplicates));
        Assert.Contains("5 of 6 held-out rows also stand among those trained on: their loss says little about new text", log.Messages);
        Assert.Equal(["a.jsonl", "b.jsonl", "eval.jsonl"], corpus.Labels);
        using var unique = Build(config with { Deduplicate = true });
        Assert.Equal([10, 0], unique.Training.Select(t => t.Length));
    }

    [Fact]
    public void Weights_without_effect_are_said()
    {
        var log = new Collected();
        using var corpus = Build(Of(Source("a.jsonl", Many(10)) with { Weight = 2 }, Source("b.jsonl", Many(30))), log.Logger);
        Assert.Contains(log.Messages, m => m.Contains("data.mixing: once takes each row once, whatever the weights; the shares come out as a.jsonl 25%, b.jsonl 75%", StringComparison.Ordinal));
    }

    [Fact]
    public void The_model_limits_the_length_of_rows()
    {
        var log = new Collected();
        using var corpus = Corpus.Build(
            Of(Source("rows.jsonl", Many(10))), new CorpusSettings { Codec = Codecs.Characters, ModelLength = 512 }, log.Logger, TestContext.Current.CancellationToken);
        Assert.Equal(512, corpus.MaxLength);
        Assert.Contains("Rows hold 512 tokens, all that the model knows; data.max_length is 2,048", log.Messages);
    }

    [Fact]
    public void Text_files_are_a_document_each_or_one_a_line_or_a_paragraph()
    {
        File.WriteAllText(_folder["a.txt"], "one\ntwo\n\n\nthree\r\n");
        string[] Documents(string? format)
        {
            using var corpus = Build(Of(new SourceConfig { Path = _folder["a.txt"], Format = format }));
            return [.. Enumerable.Range(0, corpus.Count).Select(d => Codecs.Show(corpus[d].Ids))];
        }
        Assert.Equal(["one\ntwo\n\n\nthree\r\n‹/s›"], Documents(null));
        Assert.Equal(["one‹/s›", "two‹/s›", "three‹/s›"], Documents("lines"));
        Assert.Equal(["one\ntwo‹/s›", "three‹/s›"], Documents("paragraphs"));
    }

    [Fact]
    public void A_long_text_is_pointed_to_wrapped_rows_and_a_missing_end_of_text_is_said()
    {
        var log = new Collected();
        var config = Of(Source("rows.jsonl", """{"text": "short"}""", """{"text": "much longer than a row"}""")) with { MaxLength = 10 };
        using var corpus = Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters with { Eos = null } }, log.Logger, TestContext.Current.CancellationToken);
        Assert.EndsWith(":2: has 22 tokens, a row holds 10; raise data.max_length or set data.packing: wrapped, which loses nothing of long texts", corpus.Report.Sources[0].TooLong.First[0], StringComparison.Ordinal);
        Assert.Contains("The tokenizer names no end of text (eos_token), so texts and completions are trained on without one: the model will not learn to stop", log.Messages);
        Assert.Equal("short", Codecs.Show(corpus[0].Ids));
    }

    [Fact]
    public void Progress_ends_at_the_whole_file()
    {
        var seen = new List<DataProgress>();
        var progress = new Seen(seen.Add);
        var config = Of(Source("rows.jsonl", Many(1280)));
        using var corpus = Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters, Progress = progress }, Logger.None, TestContext.Current.CancellationToken);
        Assert.Equal(20, seen.Count);
        Assert.Equal(new DataProgress("rows.jsonl", 1280, 1), seen[^1]);
        Assert.Equal(seen.Select(p => p.Share).Order(), seen.Select(p => p.Share));
    }

    [Fact]
    public void Folders_and_patterns_name_files_and_splits_are_kept_apart()
    {
        Directory.CreateDirectory(_folder["set/deep"]);
        Source("set/train-00000.jsonl", Pair("p", "a"));
        Source("set/deep/train-00001.jsonl", Pair("p", "b"));
        Source("set/test-00000.jsonl", Pair("p", "c"));
        int Count(string path, string? split = null)
        {
            using var corpus = Build(Of(new SourceConfig { Path = _folder[path], Split = split }));
            return corpus.Count;
        }
        Assert.Equal(2, Count("set", "train"));
        Assert.Equal(1, Count("set", "test"));
        Assert.Equal(1, Count("set/train-*.jsonl"));
        Assert.Equal(2, Count("set/**/train-*.jsonl"));
        Assert.Equal($"{_folder["set"]} has files of the splits test, train; choose one with 'split', as in split: train", Refusal(Of(new SourceConfig { Path = _folder["set"] })));
        Assert.Equal($"{_folder["set"]} has no files named 'dev'; found train, test", Refusal(Of(new SourceConfig { Path = _folder["set"], Split = "dev" })));
        Assert.Equal($"{_folder["no.jsonl"]} does not exist: expected a file, a folder, or a pattern with * or **", Refusal(Of(new SourceConfig { Path = _folder["no.jsonl"] })));
    }

    [Fact]
    public void The_table_is_aligned()
    {
        var report = new DataReport(
        [
            new SourceReport { Label = "a.jsonl", Format = "alpaca", Rows = 1200, Documents = 1190, Tokens = 100_000, Trained = 60_000, Longest = 900, Malformed = new(10, []) },
            new SourceReport { Label = "long name", Format = "text", Rows = 1, Documents = 1, Tokens = 5, Trained = 5, Longest = 5 },
        ]);
        Assert.Equal(
            """
            source     format   rows  documents   tokens  trained  longest  malformed
            a.jsonl    alpaca  1,200      1,190  100,000   60,000      900         10
            long name  text        1          1        5        5        5          0
            all                1,201      1,191  100,005   60,005      900         10

            """.ReplaceLineEndings("\n"),
            report.Table());
        // Where each row is a document and nothing is left out, there is nothing to say of it.
        Assert.Equal(
            """
            source     format  rows  tokens  trained  longest
            long name  text       1       5        5        5

            """.ReplaceLineEndings("\n"),
            new DataReport([report.Sources[1]]).Table());
    }

    private sealed class Seen(Action<DataProgress> report) : IProgress<DataProgress>
    {
        public void Report(DataProgress value) => report(value);
    }
}
