using LlmTune.Data;
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
        Assert.Equal((1, $"{_folder["rows.jsonl"]}:{rows + 1}: is not JSON"), (corpus.Report.Sources[0].Malformed.Count, corpus.Report.Sources[0].Malformed.First[0].Split(": '")[0]));
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
        Assert.Equal(400, Encodings(c => c with { Sources = [c.Sources[0] with { Format = "prompt_completion", Label = "x" }] }));
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
        DataCache.Prune(_folder["cache"], now);
        Assert.Equal(["cache/new.tokens", "cache/notes.txt", "cache/y.tokens.2.partial"], _folder.Names);
    }
}
