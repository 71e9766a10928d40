using LlmTune.Data;
using Serilog.Core;

namespace LlmTune.Tests.Data;

public sealed class DatasetInfoTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public DatasetInfoTests()
    {
        File.WriteAllText(_folder["dataset_info.json"], """
            {
              "corpus": { "file_name": "corpus.jsonl", "columns": { "prompt": "body" } },
              "orca": { "file_name": "orca.jsonl", "columns": { "prompt": "question", "response": "reply", "system": "sys" }, "num_samples": 1 },
              "chat": {
                "file_name": "chat.jsonl", "formatting": "sharegpt", "columns": { "messages": "turns" },
                "tags": { "role_tag": "who", "content_tag": "says", "user_tag": "me", "assistant_tag": "it", "system_tag": "rules" }
              },
              "hub": { "hf_hub_url": "someone/something" },
              "pictures": { "file_name": "orca.jsonl", "formatting": "sharegpt", "columns": { "messages": "m", "images": "i" } },
              "tagged": { "file_name": "orca.jsonl", "formatting": "sharegpt", "columns": { "messages": "m", "length": "k" } },
              "ranked": { "file_name": "ranked.jsonl", "ranking": true, "columns": { "prompt": "ask", "query": "more", "chosen": "good", "rejected": "bad", "system": "sys" } },
              "list": { "file_name": "ranked.jsonl", "ranking": true, "columns": { "prompt": "ask", "query": "more", "response": "both" } },
              "turns": {
                "file_name": "ranked.jsonl", "ranking": true, "formatting": "sharegpt", "columns": { "messages": "turns", "chosen": "yes", "rejected": "no" },
                "tags": { "role_tag": "who", "content_tag": "says", "user_tag": "me", "assistant_tag": "it" }
              },
              "labels": {
                "file_name": "ranked.jsonl", "formatting": "sharegpt", "columns": { "messages": "whole", "kto_tag": "ok" },
                "tags": { "role_tag": "who", "content_tag": "says", "user_tag": "me", "assistant_tag": "it" }
              },
              "flags": { "file_name": "ranked.jsonl", "columns": { "prompt": "ask", "response": "good", "kto_tag": "ok" } },
              "format": { "file_name": "chat.jsonl", "format": "sharegpt", "columns": { "messages": "turns" } },
              "twice": { "file_name": "chat.jsonl", "colums": {}, "nonsense": 1 },
              "tag": { "file_name": "chat.jsonl", "formatting": "sharegpt", "columns": { "messages": "turns" }, "tags": { "role": "who" } },
              "column": { "file_name": "orca.jsonl", "columns": { "promt": "question" } },
              "placeless": { "script_url": "x" },
              "near": { "file_name": "orca.jsonl", "formatting": "sharegtp" },
              "odd": { "file_name": "orca.jsonl", "formatting": "parallel" }
            }
            """);
        File.WriteAllLines(_folder["corpus.jsonl"], ["""{"body": "text"}"""]);
        File.WriteAllLines(_folder["orca.jsonl"], ["""{"question": "q", "reply": "r", "sys": "s"}""", """{"question": "q2", "reply": "r2"}"""]);
        File.WriteAllLines(_folder["chat.jsonl"], ["""{"turns": [{"who": "rules", "says": "s"}, {"who": "me", "says": "u"}, {"who": "it", "says": "a"}]}"""]);
    }

    [Theory]
    [InlineData("ranked", "preference", "‹system\ns›\n‹user\nq\nm›\n‹assistant\n|a›\n|b›\n")]
    [InlineData("list", "ranking", "‹user\nq\nm›\n‹assistant\n|x›\n|y›\n")]
    [InlineData("turns", "preference", "‹user\nu›\n‹assistant\n|c›\n|d›\n")]
    [InlineData("labels", "kto", "‹user\nu›\n‹assistant\n|e›\n")]
    [InlineData("flags", "kto", "‹user\nq›\n‹assistant\n|a›\n")]
    public void Rankings_and_labels_are_judged_answers(string name, string format, string shown)
    {
        File.WriteAllText(_folder["ranked.jsonl"], """
            {"ask": "q", "more": "m", "good": "a", "bad": "b", "sys": "s", "both": ["x", "y"], "ok": true, "turns": [{"who": "me", "says": "u"}],
            "yes": {"who": "it", "says": "c"}, "no": {"who": "it", "says": "d"}, "whole": [{"who": "me", "says": "u"}, {"who": "it", "says": "e"}]}
            """.ReplaceLineEndings(" "));
        using var corpus = Build(name, takes: null);
        Assert.Equal((format, 1), (corpus.Report.Sources[0].Format, corpus.Count));
        Assert.Equal(shown, Codecs.Show(corpus.Judged(0)));
    }

    public void Dispose() => _folder.Dispose();

    private Corpus Build(string name, Judgement? takes = Judgement.None) => Corpus.Build(
        new DataConfig { Sources = [new SourceConfig { Name = name, Dir = _folder.Path }] },
        new CorpusSettings { Codec = Codecs.Characters, Takes = takes }, Logger.None, TestContext.Current.CancellationToken);

    private string Only(string name)
    {
        using var corpus = Build(name);
        Assert.Equal(1, corpus.Count);
        return Codecs.Show(corpus[0].Ids);
    }

    [Fact]
    public void Columns_tags_and_samples_are_taken_over()
    {
        Assert.Equal("text‹/s›", Only("corpus"));
        Assert.Equal("‹system\ns›\n‹user\nq›\n‹assistant\nr›\n", Only("orca"));
        Assert.Equal("‹system\ns›\n‹user\nu›\n‹assistant\na›\n", Only("chat"));
    }

    [Theory]
    [InlineData("format", "dataset_info.json, format: unknown key 'format', did you mean 'formatting'?")]
    [InlineData("twice", "dataset_info.json, twice: unknown key 'colums', did you mean 'columns'?; unknown key 'nonsense'")]
    [InlineData("tag", "dataset_info.json, tag, tags: unknown key 'role', did you mean 'role_tag'?")]
    [InlineData("column", "dataset_info.json, column: the column 'promt' is not read here, did you mean 'prompt'?; expected prompt, query, response, history, system")]
    [InlineData("placeless", "dataset_info.json, placeless: has neither file_name nor hf_hub_url, from which alone rows are read here")]
    [InlineData("pictures", "dataset_info.json, pictures: its rows hold images; only text is trained on")]
    [InlineData("tagged", "dataset_info.json, tagged: the column 'length' is not read here; expected messages, system, tools")]
    [InlineData("near", "dataset_info.json, near: formatting 'sharegtp' is not read here, did you mean 'sharegpt'?; expected alpaca, sharegpt or openai")]
    [InlineData("odd", "dataset_info.json, odd: formatting 'parallel' is not read here; expected alpaca, sharegpt or openai")]
    [InlineData("chta", "dataset_info.json has no entry 'chta', did you mean 'chat'?")]
    public void What_cannot_be_read_is_refused(string name, string message) =>
        Assert.Equal(Path.Combine(_folder.Path, message), Assert.Throws<RequestException>(() => Build(name)).Message);

    /// <summary>An entry of the Hub is found in the local cache, or the command that puts it there is said.</summary>
    [Fact]
    public void A_data_set_that_is_not_here_is_said_with_the_command_that_fetches_it()
    {
        var message = Assert.Throws<RequestException>(() => Build("hub")).Message;
        Assert.StartsWith("someone/something is neither a file or folder here nor a data set in the local Hugging Face cache (", message, StringComparison.Ordinal);
        Assert.EndsWith("; fetch it first (hf download someone/something --repo-type dataset), or give the path of a file or folder", message, StringComparison.Ordinal);
    }
}
