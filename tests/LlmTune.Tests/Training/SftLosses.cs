using System.Text.Json;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Objectives;
using LlmTune.Training;

namespace LlmTune.Tests.Training;

/// <summary>
/// What TRL's SFTTrainer computes on given batches: loss, the norm of every gradient, and some gradients whole. Variants of a loss
/// that is not built are left out; the case counts as run with those that are.
/// </summary>
internal static class SftLosses
{
    private const double Bound = 1e-5;

    /// <summary>A batch of a variant: tokens, what attention sees, and the labels at predicting positions.</summary>
    private sealed record Batch(int[] Ids, AttentionContext Context, int[] Predicting, int[] Targets);

    public static void Compare(GoldenCase golden)
    {
        using var model = golden.OpenModel(golden.PathOf("model")).Load(Golden.Device, ScalarType.Float32, _ => true);
        var compared = 0;
        var shared = Shared(golden);
        foreach (var variant in golden.Field("variants").EnumerateArray())
        {
            var name = variant.GetProperty("variant").GetString()!;
            golden.Understood(golden.TensorNames.Where(tensor => tensor.StartsWith(name + "/", StringComparison.Ordinal)));
            if (IsBuilt(variant, name))
            {
                Variant(golden, model, variant, name, shared);
                compared++;
            }
        }
        Assert.InRange(compared, 1, int.MaxValue);
    }

    /// <summary>Whose batch those have that bring none: the variant that the case names, or the first with one.</summary>
    private static string Shared(GoldenCase golden)
    {
        string[] own = [.. golden.Json.GetProperty("variants").EnumerateArray().Select(variant => variant.GetProperty("variant").GetString()!)
            .Where(name => golden.HasTensor($"{name}/attention_mask"))];
        var said = golden.Has("tensors") ? golden.Text("tensors").Split('`') : [];
        return said.FirstOrDefault(own.Contains) ?? own[0];
    }

    private static bool IsBuilt(JsonElement variant, string name)
    {
        foreach (var field in variant.EnumerateObject())
        {
            switch (field.Name)
            {
                case "loss_type" or "label_smoothing_factor" or "neftune_noise_alpha":
                    if (Refusals.OfSft(field) is not null) return false;
                    break;
                case "variant" or "what" or "num_items_in_batch" or "mode" or "counted_tokens" or "checked_by_hand"
                    or "loss" or "metrics" or "grad_norm" or "grad_norms" or "seq_lengths" or "loss_if_sequences_attended_across":
                    break;
                default:
                    Assert.Fail($"{name}: the field '{field.Name}' is not understood");
                    break;
            }
        }
        return true;
    }

    private static void Variant(GoldenCase golden, Decoder model, JsonElement variant, string name, string shared)
    {
        using var scope = NewDisposeScope();
        var batch = BatchOf(golden, model, variant, name, shared);
        var counted = batch.Targets.Length;
        if (variant.TryGetProperty("counted_tokens", out var tokens)) Assert.Equal(tokens.GetInt32(), counted);
        if (counted == 0)
        {
            Assert.Equal(0, variant.GetProperty("loss").GetDouble());   // such a batch never reaches the model here
            Assert.Equal(0, variant.GetProperty("grad_norm").GetDouble());
            return;
        }
        var divisor = variant.TryGetProperty("num_items_in_batch", out var items) && items.ValueKind == JsonValueKind.Number ? items.GetInt32() : counted;
        foreach (var tensor in model.Tensors) tensor.Gradient?.zero_();
        var pass = new Pass(batch.Context);
        var chain = new Chain(model, pass, recomputed: 1);
        var hidden = chain.Forward(Trainer.Indices(batch.Ids, model.Device));
        var (logProbabilities, gradient) = new TokenStatistics(model).Backward(
            hidden, Trainer.Indices(batch.Predicting, model.Device), Trainer.Indices(batch.Targets, model.Device),
            Sft.Coefficients(counted, 1.0 / divisor, model.Device), pass, chain.NeedsGradient);
        chain.Backward(gradient!);
        Close.Assert(variant.GetProperty("loss").GetDouble(), -logProbabilities.sum().ToDouble() / divisor, $"{name}: loss", Bound);

        var gradients = model.Tensors.SelectMany(tensor => tensor.Gradients).ToDictionary(g => g.Name, g => g.View);
        var norms = variant.GetProperty("grad_norms").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetDouble());
        Assert.Equal(norms.Keys.Order(), gradients.Keys.Order());
        foreach (var (tensor, norm) in norms) Close.Assert(norm, gradients[tensor].norm().ToDouble(), $"{name}: norm of the gradient of {tensor}", Bound);
        var whole = Math.Sqrt(gradients.Values.Sum(g => Math.Pow(g.norm().ToDouble(), 2)));
        Close.Assert(variant.GetProperty("grad_norm").GetDouble(), whole, $"{name}: grad_norm", Bound);
        foreach (var tensor in golden.TensorNames.Where(tensor => tensor.StartsWith($"{name}/grad.", StringComparison.Ordinal)))
            Close.Assert(golden.Expected(tensor), gradients[SftCurves.FullName(tensor[(name.Length + "/grad.".Length)..], gradients.Keys)], tensor, Bound);
    }

    /// <summary>The variant's own tensors; else those that are shared.</summary>
    private static Batch BatchOf(GoldenCase golden, Decoder model, JsonElement variant, string name, string shared)
    {
        var from = golden.HasTensor($"{name}/input_ids") ? name : shared;
        var ids = Rows($"{from}/input_ids");
        var unlabelled = variant.TryGetProperty("counted_tokens", out var counted) && counted.GetInt32() == 0 && from != name;
        var labels = unlabelled ? Array.ConvertAll(ids, row => Array.ConvertAll(row, _ => -100)) : Rows($"{from}/labels");
        if (variant.TryGetProperty("seq_lengths", out var lengths))
        {
            int[] bounds = [0, .. lengths.EnumerateArray().Select((_, i) => lengths.EnumerateArray().Take(i + 1).Sum(l => l.GetInt32()))];
            Assert.Equal(golden.Expected($"{name}/cu_seq_lens_q").to(ScalarType.Int32).data<int>().ToArray(), bounds);
            var predicting = Enumerable.Range(0, ids[0].Length - 1).Where(t => labels[0][t + 1] != -100).ToArray();
            return new Batch(ids[0], model.Packed(Rows($"{name}/position_ids")[0], bounds), predicting, [.. predicting.Select(t => labels[0][t + 1])]);
        }
        var block = JsonSerializer.SerializeToElement(new { input_ids = ids, labels, attention_mask = Rows($"{from}/attention_mask") });
        if (Rows($"{from}/attention_mask").Any(row => row[0] == 0))
        {
            // A padding column predicts each row's first token there, and attention to padding counts.
            var whole = PaddedRows.Whole(block);
            return new Batch(whole.Ids, new PaddedContext(whole.Real, whole.Rows, whole.Width, model.Device), whole.Predicting, whole.Targets);
        }
        var rows = PaddedRows.Read(block);
        return new Batch(rows.Ids, model.Packed(rows.Positions, rows.Bounds), rows.Predicting, rows.Targets);

        int[][] Rows(string tensor)
        {
            var (values, width) = (golden.Expected(tensor).to(ScalarType.Int32).data<int>().ToArray(), (int)golden.Expected(tensor).shape[1]);
            return [.. values.Chunk(width)];
        }
    }
}
