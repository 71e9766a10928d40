using LlmTune.Data;
using LlmTune.Tests.Tokenization;
using LlmTune.Tests.Tokenization.Templates;
using LlmTune.Tokenization;
using Serilog.Core;

namespace LlmTune.Tests.Data;

public sealed class DataCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private int _encoded;

    public void Dispose() => _folder.Dispose();

    /// <summary>How many texts are tokenized when the corpus is built; its documents must be what they always are.</summary>
    private int Encodings(Func<DataConfig, DataConfig>? change = null, string identity = "characters", int rows = 200)
    {
        _encoded = 0;
        var codec = Codecs.Characters with
        {
            Identity = identity,
            Encode = text =>
            {
                Interlocked.Increment(ref _encoded);
                return Codecs.Ids(text);
            },
        };
        var config = new DataConfig { Sources = [new SourceConfig { Path = _folder["rows.jsonl"] }], OnError = OnError.Skip };
        using var corpus = Corpus.Build(
            change?.Invoke(config) ?? config, new CorpusSettings { Codec = codec, CacheFolder = _folder["cache"] }, Logger.None, TestContext.Current.CancellationToken);
        Assert.Equal(Math.Min(rows, config.Sources[0].Limit ?? rows), corpus.Count);
        Assert.Equal("p7c7‹/s›", Codecs.Show(corpus[7].Ids));
        Assert.Equal([false, false, true, true, true], corpus[7].Trained);
        Assert.Equal($"{_folder["rows.jsonl"]}:8", corpus.Place(7));
        Assert.Equal((1, $"{_folder["rows.jsonl"]}:{rows + 1}: is not JSON"), (corpus.Report.Sources[0].Malformed.Count, corpus.Report.Sources[0].Malformed.First[0].Split(": character")[0]));
        return _encoded;
    }

    private void Write(int rows) =>
        File.WriteAllLines(_folder["rows.jsonl"], [.. Enumerable.Range(0, rows).Select(i => $$"""{"prompt": "p{{i}}", "completion": "c{{i}}"}"""), "no json"]);

    [Fact]
    public void Tokens_are_made_once()
    {
        Write(200);
        Assert.Equal(400, Encodings());
        Assert.Equal(0, Encodings());
        Assert.Equal(400, Encodings(c => c with { Cache = false }));
        Assert.Single(Directory.GetFiles(_folder["cache"]));
    }

    [Fact]
    public void Whatever_changes_the_tokens_makes_them_anew()
    {
        Write(200);
        Encodings();
        Assert.Equal(400, Encodings(identity: "another tokenizer"));
        Assert.Equal(400, Encodings(c => c with { MaxLength = 100 }));
        Assert.Equal(400, Encodings(c => c with { Truncation = TruncationMode.Truncate }));
        Assert.Equal(0, Encodings(c => c with { Shuffle = false, Packing = PackingMode.None, NumProc = 1 }));
        Write(201);
        Assert.Equal(402, Encodings(rows: 201));
        Write(200);
        Assert.Equal(0, Encodings());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData(-1)]
    public void A_damaged_file_is_made_anew(int at)
    {
        Write(200);
        Encodings();
        var file = Directory.GetFiles(_folder["cache"]).Single();
        var bytes = File.ReadAllBytes(file);
        bytes[at < 0 ? bytes.Length - 1 : at] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.Equal(400, Encodings());
        File.WriteAllBytes(file, bytes[..(bytes.Length / 2)]);
        Assert.Equal(400, Encodings());
        Assert.Equal(0, Encodings());
    }

    [Fact]
    public void A_run_that_fails_leaves_nothing()
    {
        Write(200);
        Assert.Throws<RequestException>(() => Encodings(c => c with { OnError = OnError.Fail }));
        Assert.Empty(Directory.GetFiles(_folder["cache"]));
    }

    [Fact]
    public void What_was_not_used_for_a_month_goes()
    {
        Directory.CreateDirectory(_folder["cache"]);
        var now = new DateTime(2026, 5, 1, 0, 0, 0, DateTimeKind.Utc);
        foreach (var (name, days) in ((string, int)[])[("old.tokens", 31), ("new.tokens", 29), ("x.tokens.1.partial", 2), ("y.tokens.2.partial", 0), ("notes.txt", 400)])
        {
            File.WriteAllText(_folder[$"cache/{name}"], "");
            File.SetLastWriteTimeUtc(_folder[$"cache/{name}"], now - TimeSpan.FromDays(days));
        }
        DataCache.Prune(_folder["cache"], now, long.MaxValue);
        Assert.Equal(["cache/new.tokens", "cache/notes.txt", "cache/y.tokens.2.partial"], _folder.Names);
    }

    /// <summary>A line in a file of its own, one of which is not JSON, and what is said of it.</summary>
    private (int Encoded, string Place, string Bad, string Label, List<string> Log) Read(string file, string? label = null)
    {
        _encoded = 0;
        var log = new Collected();
        var codec = Codecs.Characters with
        {
            Encode = text =>
            {
                Interlocked.Increment(ref _encoded);
                return Codecs.Ids(text);
            },
        };
        var config = new DataConfig { Sources = [new SourceConfig { Path = _folder[file], Label = label }], OnError = OnError.Skip };
        using var corpus = Corpus.Build(config, new CorpusSettings { Codec = codec, CacheFolder = _folder["cache"] }, log.Logger, TestContext.Current.CancellationToken);
        Assert.Equal("p0c0‹/s›", Codecs.Show(corpus[0].Ids));
        return (_encoded, corpus.Place(0), corpus.Report.Sources[0].Malformed.First[0].Split(": character")[0], corpus.Labels[0], log.Messages);
    }

    [Fact]
    public void Content_counts_and_neither_names_nor_times()
    {
        Write(1);
        Assert.Equal(2, Read("rows.jsonl").Encoded);
        File.SetLastWriteTimeUtc(_folder["rows.jsonl"], new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.Equal(0, Read("rows.jsonl").Encoded);
        Directory.CreateDirectory(_folder["elsewhere"]);
        File.Move(_folder["rows.jsonl"], _folder["elsewhere/other.jsonl"]);
        var moved = Read("elsewhere/other.jsonl", label: "mine");
        var file = _folder["elsewhere/other.jsonl"];
        Assert.Equal((0, $"{file}:1", $"{file}:2: is not JSON", "mine"), (moved.Encoded, moved.Place, moved.Bad, moved.Label));

        // One byte that leaves the tokens as they are, with size and time kept: still another content.
        var (bytes, time) = (File.ReadAllBytes(file), File.GetLastWriteTimeUtc(file));
        bytes[Array.LastIndexOf(bytes, (byte)'n')] = (byte)'N';
        File.WriteAllBytes(file, bytes);
        File.SetLastWriteTimeUtc(file, time);
        Assert.Equal(2, Read("elsewhere/other.jsonl").Encoded);

        // The same bytes under a name that has them read otherwise.
        File.Copy(file, _folder["elsewhere/other.ndjson"]);
        Assert.Equal(2, Read("elsewhere/other.ndjson").Encoded);
    }

    [Fact]
    public void A_damaged_file_is_said()
    {
        Write(1);
        Read("rows.jsonl");
        var file = Directory.GetFiles(_folder["cache"]).Single();
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..^1]);
        Assert.Contains($"rows.jsonl: the tokens of an earlier run are damaged and are made anew, {file}", Read("rows.jsonl").Log);
        Assert.Contains("rows.jsonl: 2 rows of the format prompt_completion, found from the rows; tokens of an earlier run", Read("rows.jsonl").Log);
    }

    [Fact]
    public void What_was_used_longest_ago_goes_when_there_is_too_much()
    {
        Directory.CreateDirectory(_folder["cache"]);
        var now = new DateTime(2026, 5, 1, 0, 0, 0, DateTimeKind.Utc);
        foreach (var (name, hours) in ((string, double)[])[("a.tokens", 0.1), ("b.tokens", 0.5), ("c.tokens", 2), ("d.tokens", 3), ("e.tokens", 4)])
        {
            File.WriteAllBytes(_folder[$"cache/{name}"], new byte[100]);
            File.SetLastWriteTimeUtc(_folder[$"cache/{name}"], now - TimeSpan.FromHours(hours));
        }
        DataCache.Prune(_folder["cache"], now, limit: 350);
        Assert.Equal(["cache/a.tokens", "cache/b.tokens", "cache/c.tokens"], _folder.Names);
        DataCache.Prune(_folder["cache"], now, limit: 0);
        Assert.Equal(["cache/a.tokens", "cache/b.tokens"], _folder.Names);   // in use within the hour
    }

    [Fact]
    public void An_open_file_outlives_its_removal()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("an open file cannot be removed there");
        Write(200);
        var config = new DataConfig { Sources = [new SourceConfig { Path = _folder["rows.jsonl"] }], OnError = OnError.Skip };
        using var corpus = Corpus.Build(
            config, new CorpusSettings { Codec = Codecs.Characters, CacheFolder = _folder["cache"] }, Logger.None, TestContext.Current.CancellationToken);
        DataCache.Prune(_folder["cache"], DateTime.UtcNow.AddDays(60), 0);
        Assert.Empty(Directory.GetFiles(_folder["cache"]));
        Assert.Equal("p199c199‹/s›", Codecs.Show(corpus[199].Ids));
    }

    [Fact]
    public void Runs_at_the_same_time_make_the_same_tokens_beside_each_other()
    {
        Write(2000);
        var config = new DataConfig { Sources = [new SourceConfig { Path = _folder["rows.jsonl"] }], OnError = OnError.Skip };
        var settings = new CorpusSettings { Codec = Codecs.Characters, CacheFolder = _folder["cache"] };
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
        {
            using var corpus = Corpus.Build(config, settings, Logger.None, TestContext.Current.CancellationToken);
            Assert.Equal(2000, corpus.Count);
            Assert.Equal("p1999c1999‹/s›", Codecs.Show(corpus[1999].Ids));
        });
        Assert.Single(Directory.GetFiles(_folder["cache"]));
    }

    [Fact]
    public void A_template_that_writes_the_date_has_tokens_of_the_day()
    {
        Codec Of(string source, int day)
        {
            var template = new ChatTemplate(source, "test", Tokenizers.Qwen) { Clock = new FixedClock(new DateTime(2026, 5, day)) };
            return Codec.Of(Tokenizers.Qwen, template);
        }
        const string Dated = "{{ strftime_now('%d') }}{% for m in messages %}{{ m.content }}{% endfor %}", Plain = "{% for m in messages %}{{ m.content }}{% endfor %}";
        Assert.NotEqual(Of(Dated, 1).Identity, Of(Dated, 2).Identity);
        Assert.Equal(Of(Dated, 1).Identity, Of(Dated, 1).Identity);
        Assert.Equal(Of(Plain, 1).Identity, Of(Plain, 2).Identity);
    }
}
