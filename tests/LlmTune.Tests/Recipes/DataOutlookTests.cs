using LlmTune.Recipes;
using LlmTune.Tests.Data;

namespace LlmTune.Tests.Recipes;

public sealed class DataOutlookTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>20 rows of some 9 tokens: in rows of 512 all are one step an epoch; each in a row of its own and 8 a step they are three.</summary>
    [Theory]
    [InlineData("per_device_train_batch_size: 8", "packing: true", "only 3 steps, each of about 20 documents: fewer than some 50 teach little; make more of them by data.packing: false with "
        + "training.per_device_train_batch_size: 1 and gradient_accumulation_steps: 1")]
    [InlineData("per_device_train_batch_size: 4, gradient_accumulation_steps: 2", "packing: false", "only 9 steps, each of about 7 documents: fewer than some 50 teach little; make more of them by "
        + "training.per_device_train_batch_size: 1 and gradient_accumulation_steps: 1")]
    [InlineData("per_device_train_batch_size: 1, num_train_epochs: 2", "packing: false", "only 40 steps, each of about 1 document: fewer than some 50 teach little; make more of them by training.num_train_epochs: 3")]
    [InlineData("per_device_train_batch_size: 1", "packing: false", null)]
    [InlineData("per_device_train_batch_size: 8, max_steps: 5", "packing: false", null)]
    public void Few_steps_are_a_warning_with_what_to_change(string training, string packing, string? message)
    {
        File.WriteAllLines(_folder["rows.jsonl"], Enumerable.Range(0, 20).Select(i => $$"""{"prompt": "Once {{i}}", "completion": " upon"}"""));
        File.WriteAllText(_folder["run.yaml"], $$"""
            device: cpu
            model: { path: {{RealModels.Stories}} }
            data: { sources: [{ path: rows.jsonl }], {{packing}}, cache: false }
            training: { output_dir: out, {{training}} }
            """);
        var log = new Collected();
        using var plan = RunPlan.Make(RunConfig.Load(_folder["run.yaml"], []), log.Logger, cancel: TestContext.Current.CancellationToken);
        Assert.Equal(message, log.Messages.Find(said => said.StartsWith("only ", StringComparison.Ordinal)));
    }

    private List<string> Messages(string data, string training = "")
    {
        foreach (var (name, count) in ((string, int)[])[("big", 100), ("small", 2)])
            File.WriteAllLines(_folder[$"{name}.jsonl"], Enumerable.Range(0, count).Select(i => $$"""{"text": "{{name}} {{i}}"}"""));
        File.WriteAllText(_folder["run.yaml"], $$"""
            device: cpu
            model: { path: {{RealModels.Stories}} }
            data: { {{data}}, max_length: 32, packing: false, cache: false }
            training: { output_dir: out, per_device_train_batch_size: 10{{training}} }
            """);
        var log = new Collected();
        using var plan = RunPlan.Make(RunConfig.Load(_folder["run.yaml"], []), log.Logger, cancel: TestContext.Current.CancellationToken);
        var preview = new Collected();
        Preview.Run(RunConfig.Load(_folder["run.yaml"], []), 0, preview.Logger, cancel: TestContext.Current.CancellationToken);
        bool IsOutlook(string message) => message.StartsWith("An epoch takes", StringComparison.Ordinal) || message.Contains("gone through", StringComparison.Ordinal) || message.Contains("max_steps", StringComparison.Ordinal);
        var messages = log.Messages.FindAll(IsOutlook);
        Assert.Equal(messages, preview.Messages.FindAll(IsOutlook));
        return messages;
    }

    /// <summary>Each row once: 100 and 2 of 102 examples.</summary>
    [Fact]
    public void The_shares_of_an_epoch_are_said()
    {
        var message = Assert.Single(Messages("sources: [{ path: big.jsonl }, { path: small.jsonl }]"));
        Assert.Matches(@"^An epoch takes big\.jsonl 100 examples \(98\.0 %\), [\d,]+ tokens \([\d.]+ %\); small\.jsonl 2 examples \(2\.0 %\), \d+ tokens \([\d.]+ %\)$", message);
    }

    /// <summary>As many of the 2 rows as of the 100: about 50 times each.</summary>
    [Fact]
    public void A_source_that_is_repeated_too_often_is_said()
    {
        const string Sources = "sources: [{ path: big.jsonl }, { path: small.jsonl }], mixing: all_exhausted";
        Assert.Matches(
            @"^small\.jsonl: its 2 documents are gone through [3-7]\d times an epoch, to hold the weights; lower its weight, set its max_repeats, or data\.mixing: first_exhausted$",
            Messages(Sources)[1]);
        Assert.Single(Messages(Sources.Replace("small.jsonl", "small.jsonl, max_repeats: 3", StringComparison.Ordinal)));
    }

    [Fact]
    public void More_steps_than_the_data_is_good_for_are_said()
    {
        Assert.Equal(
            ["training.max_steps 2,000 are 200 epochs of 100 documents, 10 steps each: the data is far too small for so many; lower max_steps, or add data"],
            Messages("sources: [{ path: big.jsonl }]", ", max_steps: 2000"));
        Assert.Empty(Messages("sources: [{ path: big.jsonl }]", ", max_steps: 100"));
        Assert.Empty(Messages("sources: [{ path: big.jsonl }]", ", num_train_epochs: 50"));
    }
}
