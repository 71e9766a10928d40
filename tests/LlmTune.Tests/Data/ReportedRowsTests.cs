using LlmTune.Config;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Models;
using LlmTune.Recipes.OtherTools;
using LlmTune.Tokenization;
using Serilog.Core;

namespace LlmTune.Tests.Data;

/// <summary>Small inputs that people met trouble with in other tools, of LLMTUNE_DATA: what is right for each.</summary>
public class ReportedRowsTests
{
    private static string Case(string name, string file)
    {
        var root = Environment.GetEnvironmentVariable(Material.Variable);
        var path = string.IsNullOrEmpty(root) ? "" : Path.Combine(root, "cases", name, file);
        if (!Path.Exists(path)) Assert.Skip($"{Material.Variable} names no folder with cases/{name}");
        return path;
    }

    private static Corpus Build(SourceConfig source, OnError onError = OnError.Fail) => Corpus.Build(
        new DataConfig { Sources = [source], OnError = onError }, new CorpusSettings { Codec = Codecs.Characters }, Logger.None, TestContext.Current.CancellationToken);

    private static string Refusal(string path) => Assert.Throws<RequestException>(() => Source.Open(new SourceConfig { Path = path }, RowSettings.Default)).Message;

    [Fact]
    public void Pointers_of_git_lfs()
    {
        Assert.Contains("rows.jsonl is a pointer of Git LFS", Refusal(Case("37-git-lfs-pointers", "rows.jsonl")), StringComparison.Ordinal);
        Assert.Contains("tokenizer.json is a pointer of Git LFS", Assert.Throws<RequestException>(() => HfTokenizer.Load(Case("37-git-lfs-pointers", "model2"))).Message, StringComparison.Ordinal);
        Assert.Contains(
            "model.safetensors is a pointer of Git LFS",
            Assert.Throws<RequestException>(() => ModelFolder.Open(Case("37-git-lfs-pointers", "model")).Load(CPU, ScalarType.Float32)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_null_in_the_first_row()
    {
        using var corpus = Build(new SourceConfig { Path = Case("38-first-rows-null", "rows.jsonl") }, OnError.Skip);
        var report = corpus.Report.Sources[0];
        Assert.Equal(("alpaca", 1, 1), (report.Format, corpus.Count, report.Malformed.Count));
        Assert.EndsWith("rows.jsonl:1: 'output' is null", report.Malformed.First[0], StringComparison.Ordinal);
        Assert.Equal("‹user\nb›\n‹assistant\nc›\n", Codecs.Show(corpus[0].Ids));
    }

    [Fact]
    public void Columns_that_are_proposed()
    {
        Assert.Contains("    columns: { prompt: dialogue, completion: summary }\n", Refusal(Case("39-suggested-columns", "rows.jsonl")), StringComparison.Ordinal);
        Assert.DoesNotContain("columns: {", Refusal(Case("39-suggested-columns", "gemini.jsonl")), StringComparison.Ordinal);
        using var corpus = Build(new SourceConfig { Path = Case("39-suggested-columns", "swift.jsonl") });
        Assert.Equal("‹system\ns›\n‹user\nq0›\n‹assistant\nr0›\n‹user\nq›\n‹assistant\nr›\n", Codecs.Show(corpus[0].Ids));
    }

    [Fact]
    public void Names_of_roles()
    {
        using var corpus = Build(new SourceConfig { Path = Case("41-role-names", "rows.jsonl") });
        Assert.Equal(2, corpus.Count);
        Assert.All(Enumerable.Range(0, 2), i => Assert.Equal("‹user\na›\n‹assistant\nb›\n", Codecs.Show(corpus[i].Ids)));
    }

    [Fact]
    public void A_model_that_is_not_here()
    {
        var file = Case("42-axolotl-model-not-here", "run.yml");
        var message = Assert.Throws<ConfigException>(() => ForeignTools.Translate(File.ReadAllText(file), new Place("run.yml", Path.GetDirectoryName(file)!))!.Config()).Message;
        Assert.StartsWith("run.yml:1:1: meta-llama/Llama-2-7b-hf is neither a folder nor a model in the local Hugging Face cache", message, StringComparison.Ordinal);
        Assert.DoesNotContain("special_tokens", message, StringComparison.Ordinal);
    }

    [Fact]
    public void NaN_and_a_comma_too_many()
    {
        Assert.EndsWith("rows.jsonl:1: is not JSON: character 28: NaN is what Python writes where a value is missing, and no JSON; write null (pandas: df.to_json, or df.fillna(\"\") before)",
            Refusal(Case("43-nan-in-rows", "rows.jsonl")), StringComparison.Ordinal);
        Assert.EndsWith("comma.json:2: not JSON from here on: a comma with nothing between it and the ] that follows; remove it", Refusal(Case("43-nan-in-rows", "comma.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_of_a_description_that_means_nothing() => Assert.EndsWith(
        "dataset_info.json, talk: unknown key 'format', did you mean 'formatting'?",
        Assert.Throws<RequestException>(() => Build(new SourceConfig { Name = "talk", Dir = Case("44-dataset-info-unknown-key", "data") })).Message, StringComparison.Ordinal);

    [Fact]
    public void One_conversation_in_a_file()
    {
        using var corpus = Build(new SourceConfig { Path = Case("46-one-object-file", "one.json") });
        Assert.Equal((1, "messages", "‹user\na›\n‹assistant\nb›\n"), (corpus.Count, corpus.Report.Sources[0].Format, Codecs.Show(corpus[0].Ids)));
    }
}
