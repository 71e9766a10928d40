using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Recipes;
using Serilog.Core;

namespace LlmTune.Tests.Recipes;

public sealed class RealisedSharesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// Steps with sums 6 over 2 tokens and 5 over 5 of two sources, then 2 over 2 and nothing: losses (6 + 2) ÷ 4 = 2 and 5 ÷ 5 = 1; what is
    /// asked for later begins anew.
    /// </summary>
    [Fact]
    public void Sums_are_divided_by_the_tokens_of_the_window()
    {
        var shares = new RealisedShares(["a", "b"]);
        shares.Add([new SourceShare(1, 30), new SourceShare(2, 10)], [(6, 2), (5, 5)]);
        shares.Add([new SourceShare(3, 50), new SourceShare(0, 10)], [(2, 2), (0, 0)]);
        Assert.Equal([("a", 2.0), ("b", 1.0)], shares.TakeLosses());
        Assert.Empty(shares.TakeLosses());
        shares.Add([new SourceShare(0, 0), new SourceShare(0, 0)], [(0, 0), (3, 2)]);
        Assert.Equal([("b", 1.5)], shares.TakeLosses());
        Assert.Equal("a 4 examples (66.7 %), 80 tokens (80.0 %); b 2 examples (33.3 %), 20 tokens (20.0 %)", shares.Text);
        Assert.Equal("""{"a":{"examples":4,"tokens":80},"b":{"examples":2,"tokens":20}}""", shares.ToJson().ToJsonString());
    }

    [Fact]
    public void One_source_has_no_loss_of_its_own()
    {
        var shares = new RealisedShares(["a"]);
        shares.Add([new SourceShare(1, 30)], [(6, 2)]);
        Assert.Empty(shares.TakeLosses());
    }

    /// <summary>A run over two sources: lines of metrics.jsonl have a loss for each, between which the loss lies; run.json and the card say what was taken.</summary>
    [Theory]
    [InlineData("true")]
    [InlineData("wrapped")]
    public void A_run_says_the_loss_and_the_share_of_each_source(string packing)
    {
        for (var s = 0; s < 2; s++)
        {
            string[] things = s == 0 ? ["ball", "cat", "tree"] : ["zyx", "qqq", "vwv"];
            File.WriteAllLines(_folder[$"{s}.jsonl"], Enumerable.Range(0, 30).Select(i => JsonSerializer.Serialize(new { text = $"Tom had a {things[i % 3]} and {i} more." })));
        }
        File.WriteAllText(_folder["run.yaml"], $$"""
            device: cpu
            model: { path: {{RealModels.Stories}} }
            adapter: { r: 4 }
            data:
              sources: [{ path: 0.jsonl, label: words }, { path: 1.jsonl, label: letters, weight: 2 }]
              max_length: 64
              packing: {{packing}}
              mixing: all_exhausted
            training: { output_dir: out, max_steps: 4, per_device_train_batch_size: 4, logging_steps: 2 }
            """);
        var result = Finetune.Run(RunConfig.Load(_folder["run.yaml"], []), force: false, Logger.None);
        var lines = File.ReadAllLines(result.Folder.Metrics).Select(l => JsonNode.Parse(l)!).Where(l => l["loss"] is not null).ToList();
        Assert.Equal(2, lines.Count);
        Assert.All(lines, line =>
        {
            var (all, words, letters) = (line["loss"]!.GetValue<double>(), line["loss/words"]!.GetValue<double>(), line["loss/letters"]!.GetValue<double>());
            Assert.InRange(all, Math.Min(words, letters), Math.Max(words, letters));
            Assert.True(letters > words, $"{letters} and {words}");   // the model knows English words
        });
        var taken = JsonNode.Parse(File.ReadAllText(Path.Combine(result.Folder.Path, RunFolder.RecordName)))!["trained_on"]!;
        Assert.Equal(lines[^1]["num_tokens"]!.GetValue<long>(), taken["words"]!["tokens"]!.GetValue<long>() + taken["letters"]!["tokens"]!.GetValue<long>());
        Assert.InRange(taken["letters"]!["examples"]!.GetValue<double>() / taken["words"]!["examples"]!.GetValue<double>(), 1, 4);
        Assert.Contains("Trained on words ", File.ReadAllText(result.Folder.Card), StringComparison.Ordinal);
    }
}
