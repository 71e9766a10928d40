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
              "ranked": { "file_name": "orca.jsonl", "ranking": true },
              "pictures": { "file_name": "orca.jsonl", "formatting": "sharegpt", "columns": { "messages": "m", "images": "i" } },
              "tagged": { "file_name": "orca.jsonl", "formatting": "sharegpt", "columns": { "messages": "m", "kto_tag": "k" } },
              "odd": { "file_name": "orca.jsonl", "formatting": "parallel" }
            }
            """);
        File.WriteAllLines(_folder["corpus.jsonl"], ["""{"body": "text"}"""]);
        File.WriteAllLines(_folder["orca.jsonl"], ["""{"question": "q", "reply": "r", "sys": "s"}""", """{"question": "q2", "reply": "r2"}"""]);
        File.WriteAllLines(_folder["chat.jsonl"], ["""{"turns": [{"who": "rules", "says": "s"}, {"who": "me", "says": "u"}, {"who": "it", "says": "a"}]}"""]);
    }

    public void Dispose() => _folder.Dispose();

    private Corpus Build(string name) => Corpus.Build(
        new DataConfig { Sources = [new SourceConfig { Name = name, Dir = _folder.Path }] },
        new CorpusSettings { Codec = Codecs.Characters }, Logger.None, TestContext.Current.CancellationToken);

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
    [InlineData("hub", "dataset_info.json, hub: has no file_name, but hf_hub_url someone/something; download it and name its folder with path")]
    [InlineData("ranked", "dataset_info.json, ranked: holds rankings of answers, which are no examples to imitate")]
    [InlineData("pictures", "dataset_info.json, pictures: its rows hold images; only text is trained on")]
    [InlineData("tagged", "dataset_info.json, tagged: the column 'kto_tag' is not read here; expected messages, system, tools")]
    [InlineData("odd", "dataset_info.json, odd: formatting 'parallel' is not read here; expected alpaca, sharegpt or openai")]
    [InlineData("chta", "dataset_info.json has no entry 'chta', did you mean 'chat'?")]
    public void What_cannot_be_read_is_refused(string name, string message) =>
        Assert.Equal(Path.Combine(_folder.Path, message), Assert.Throws<RequestException>(() => Build(name)).Message);
}
