using LlmTune.Data.Sources;
using LlmTune.Io;
using LlmTune.Models;

namespace LlmTune.Tests.Io;

[Collection(Alone.Name)]
public sealed class HubFoldersTests : IDisposable
{
    private const string Variable = "HF_HUB_CACHE";

    private readonly TemporaryFolder _cache = new();
    private readonly string? _before = Environment.GetEnvironmentVariable(Variable);

    public HubFoldersTests() => Environment.SetEnvironmentVariable(Variable, _cache.Path);

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(Variable, _before);
        _cache.Dispose();
    }

    private string Fetch(string kind, string id, params string[] files)
    {
        var folder = _cache[$"{kind}--{id.Replace("/", "--", StringComparison.Ordinal)}"];
        Directory.CreateDirectory(Path.Combine(folder, "refs"));
        File.WriteAllText(Path.Combine(folder, "refs", "main"), "abc\n");
        var snapshot = Path.Combine(folder, "snapshots", "abc");
        foreach (var file in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(snapshot, file))!);
            File.WriteAllText(Path.Combine(snapshot, file), "{}");
        }
        return snapshot;
    }

    [Fact]
    public void A_data_set_that_was_fetched_is_found_by_its_id_and_split()
    {
        var snapshot = Fetch("datasets", "some-one/Rows_1.5", "README.md", "data/train-00000-of-00001.jsonl", "data/test-00000-of-00001.jsonl");
        Assert.Equal([Path.Combine(snapshot, "data/train-00000-of-00001.jsonl")], SourceFiles.Find("some-one/Rows_1.5", "train"));
        Assert.Throws<RequestException>(() => SourceFiles.Find("some-one/other"));
    }

    [Fact]
    public void A_model_that_was_fetched_is_found_and_no_data_set_is_one()
    {
        Assert.Equal(Fetch("models", "some-one/small", "config.json"), HubCache.Resolve("some-one/small"));
        Fetch("datasets", "some-one/rows", "a.jsonl");
        Assert.StartsWith("some-one/rows is neither a folder nor a model in the local Hugging Face cache", Assert.Throws<RequestException>(() => HubCache.Resolve("some-one/rows")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("yahma/alpaca-cleaned", true)]
    [InlineData("meta-llama/Llama-3.2-1B", true)]
    [InlineData("alpaca", false)]
    [InlineData("a/b/c", false)]
    [InlineData("./a/b", false)]
    [InlineData("../b", false)]
    [InlineData("/a/b", false)]
    [InlineData("data/*", false)]
    public void Ids_have_an_owner_and_a_name(string text, bool isId) => Assert.Equal(isId, HubFolders.IsId(text));
}
