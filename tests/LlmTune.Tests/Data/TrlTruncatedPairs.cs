using System.Text.Json;
using LlmTune.Data;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Objectives;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data;

/// <summary>
/// Pairs as TRL's DPOTrainer cuts them, and its loss on them: what our batches say of boundaries and sides, summed up by hand.
/// With c and r the log ratios of policy and reference over the chosen and the rejected answer, a pair's loss is −log σ(β (c − r)).
/// </summary>
internal static class TrlTruncatedPairs
{
    public static void Replay(GoldenCase golden)
    {
        using var scope = NewDisposeScope();
        using var policy = golden.OpenModel(golden.PathOf("model")).Load(Golden.Device, ScalarType.Float32, _ => true);
        using var reference = golden.OpenModel(golden.PathOf("ref_model")).Load(Golden.Device, ScalarType.Float32);
        var tokenizer = HfTokenizer.Load(golden.TokenizerPath);
        golden.Described("tokenizer");
        var codec = Codec.Of(tokenizer, ChatTemplate.For(tokenizer, tokenizer.Folder));
        var examples = golden.Field("dataset").EnumerateArray().Select(TrlJudgedRows.Read);
        var rows = examples.Select(example => Rendering.Render(example, codec, MaskSettings.Default)).ToList();
        var beta = golden.Field("beta").GetDouble();
        foreach (var result in golden.Field("results").EnumerateArray()) Result(result, rows, policy, reference, beta);
    }

    private static void Result(JsonElement result, List<Tokens> rows, Decoder policy, Decoder reference, double beta)
    {
        var (limit, mode) = (result.GetProperty("max_length").GetInt32(), result.GetProperty("truncation_mode").GetString()!);
        List<Tokens> kept = [.. rows.Where(row => mode == "keep_end" || row.Prompt < limit)];
        List<Document> documents = [.. kept.SelectMany(row => JudgedDocuments.Of(row)).Select(document => Cut(document, limit, mode))];
        var batch = TokenBatch.Of(documents);
        Assert.Equal(Enumerable.Range(0, kept.Count).Select(i => (2 * i, (2 * i) + 1)), batch.Pairs());
        DpoResult? ours = null;
        foreach (var field in result.EnumerateObject())
        {
            var what = $"{result.GetProperty("variant").GetString()}: {field.Name}";
            switch (field.Name)
            {
                case "variant" or "max_length" or "truncation_mode":
                    break;
                case "rows_kept":
                    Assert.Equal(field.Value.GetInt32(), kept.Count);
                    break;
                case "kept_prompts":
                    foreach (var (prompt, row) in field.Value.EnumerateArray().Zip(kept)) TrlJudgedRows.Same(prompt, row.Ids[..row.Prompt], what);
                    break;
                case "input_ids":
                    Padded(field.Value, documents, document => document.Ids, what);
                    break;
                case "attention_mask":
                    Padded(field.Value, documents, document => [.. document.Ids.Select(_ => 1)], what);
                    break;
                case "completion_mask":
                    Padded(field.Value, documents, document => [.. document.Trained.Select(trained => trained ? 1 : 0)], what);
                    break;
                case "loss":
                    Close.Assert(field.Value.GetDouble(), (ours ??= Dpo(batch, policy, reference, beta)).Loss, what);
                    break;
                case "grad_norm":
                    Close.Assert(field.Value.GetDouble(), (ours ??= Dpo(batch, policy, reference, beta)).GradientNorm, what);
                    break;
                case "metrics":
                    ours ??= Dpo(batch, policy, reference, beta);
                    foreach (var metric in field.Value.EnumerateObject()) Metric(metric, ours, batch.Tokens, beta, what);
                    break;
                default:
                    Assert.Fail($"{what} is not understood");
                    break;
            }
        }
    }

    /// <summary>Rewards are differences of sums in float32 that nearly cancel, so that their error is that of the sums.</summary>
    private static void Metric(JsonProperty metric, DpoResult ours, int tokens, double beta, string what)
    {
        var (expected, actual) = (metric.Value.GetDouble(), metric.Name == "num_tokens" ? tokens : ours.Metrics[metric.Name]);
        if (metric.Name is "rewards/chosen" or "rewards/rejected" or "rewards/margins")
            Assert.InRange(Math.Abs(expected - actual), 0, 1e-6 * beta * Math.Abs(ours.Metrics["logps/chosen"] + ours.Metrics["logps/rejected"]));
        else
            Close.Assert(expected, actual, $"{what} {metric.Name}");
    }

    /// <summary>TRL cuts each side alone, and both at the same end.</summary>
    private static Document Cut(Document document, int limit, string mode)
    {
        if (document.Length <= limit) return document;
        return mode == "keep_start"
            ? document with { Ids = document.Ids[..limit], Trained = document.Trained[..limit] }
            : document with { Ids = document.Ids[^limit..], Trained = document.Trained[^limit..] };
    }

    /// <summary>TRL's rows: all chosen, then all rejected, padded on the right with 0.</summary>
    private static void Padded(JsonElement rows, List<Document> documents, Func<Document, int[]> values, string what)
    {
        List<int[]> ours = [.. documents.Where((_, i) => i % 2 == 0).Concat(documents.Where((_, i) => i % 2 == 1)).Select(values)];
        var width = ours.Max(row => row.Length);
        Assert.Equal(ours.Count, rows.GetArrayLength());
        foreach (var (want, row) in rows.EnumerateArray().Zip(ours)) TrlJudgedRows.Same(want, [.. row, .. new int[width - row.Length]], what);
    }

    private sealed record DpoResult(double Loss, double GradientNorm, Dictionary<string, double> Metrics);

    private static DpoResult Dpo(TokenBatch batch, Decoder policy, Decoder reference, double beta)
    {
        foreach (var parameter in policy.Tensors) parameter.Value.grad?.zero_();
        var pass = new Pass(policy.Packed(batch.Positions, batch.Bounds));
        var logits = policy.Logits(policy.Forward(Indices(batch.Ids), pass), pass).index_select(0, Indices(batch.Predicting));   // (S, V)
        var probabilities = nn.functional.log_softmax(logits, 1);
        var sums = Sums(probabilities.gather(1, Indices(batch.Targets).unsqueeze(1)).squeeze(1), batch);
        var ratios = (sums - Sums(OfReference(batch, reference), batch)) * beta;                                               // (N)
        var better = ratios.index_select(0, Indices([.. batch.Pairs().Select(pair => pair.Better)]));
        var worse = ratios.index_select(0, Indices([.. batch.Pairs().Select(pair => pair.Worse)]));
        var loss = nn.functional.logsigmoid(better - worse).neg().mean();
        loss.backward();
        var norm = Math.Sqrt(policy.Tensors.Sum(parameter => parameter.Value.grad is { } gradient ? Math.Pow(gradient.norm().ToDouble(), 2) : 0));

        using var _ = no_grad();
        var bounds = batch.SupervisedBounds();
        var rank = Enumerable.Range(0, batch.Documents).SelectMany(d => Enumerable.Repeat(batch.Answers[d].Rank, bounds[d + 1] - bounds[d])).ToArray();
        Tensor Of(Tensor values, int side, int[] ranks) =>
            values.index_select(0, Indices([.. ranks.Index().Where(r => r.Item == side).Select(r => r.Index)]));
        int[] sides = [.. batch.Answers.Select(answer => answer.Rank)];
        var means = logits.mean([1]);
        var right = logits.argmax(1).eq(Indices(batch.Targets)).to(ScalarType.Float32);
        return new DpoResult(loss.ToDouble(), norm, new Dictionary<string, double>
        {
            ["entropy"] = -(probabilities.exp() * probabilities).sum(1).mean().ToDouble(),
            ["logits/chosen"] = Of(means, 0, rank).mean().ToDouble(),
            ["logits/rejected"] = Of(means, 1, rank).mean().ToDouble(),
            ["mean_token_accuracy"] = Of(right, 0, rank).mean().ToDouble(),
            ["rewards/chosen"] = better.mean().ToDouble(),
            ["rewards/rejected"] = worse.mean().ToDouble(),
            ["rewards/accuracies"] = better.gt(worse).to(ScalarType.Float32).mean().ToDouble(),
            ["rewards/margins"] = (better - worse).mean().ToDouble(),
            ["logps/chosen"] = Of(sums, 0, sides).mean().ToDouble(),
            ["logps/rejected"] = Of(sums, 1, sides).mean().ToDouble(),
        });
    }

    private static Tensor OfReference(TokenBatch batch, Decoder reference)
    {
        using var _ = no_grad();
        var pass = new Pass(reference.Packed(batch.Positions, batch.Bounds));
        return new TokenStatistics(reference).LogProbabilities(
            reference.Forward(Indices(batch.Ids), pass), Indices(batch.Predicting), Indices(batch.Targets), pass);
    }

    /// <summary>(S) → (N): the sum over each document.</summary>
    private static Tensor Sums(Tensor values, TokenBatch batch)
    {
        var bounds = batch.SupervisedBounds();
        return stack(Enumerable.Range(0, batch.Documents).Select(d => values.narrow(0, bounds[d], bounds[d + 1] - bounds[d]).sum()));
    }

    private static Tensor Indices(int[] values) => tensor(values, ScalarType.Int64, Golden.Device);
}
