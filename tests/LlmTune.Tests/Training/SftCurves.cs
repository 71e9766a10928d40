using System.Text.Json;
using LlmTune.Data;

namespace LlmTune.Tests.Training;

/// <summary>Curves of TRL's SFTTrainer: the model or an adapter, rows alone, packed or cut from a stream.</summary>
internal static class SftCurves
{
    private const double Bound = 1e-4;

    /// <summary>Trains the case again and compares; it counts as run or skipped.</summary>
    public static void Replay(GoldenCase golden)
    {
        using var scope = NewDisposeScope();
        golden.Described("order", "log_note", "lora", "tokenizer", "dataset");   // preparation is a matter of the sft-data cases
        Options(golden);
        using var curve = new Curve(golden, golden.Field("training"), golden.Has("adapter") ? golden.PathOf("adapter") : null);
        var rows = golden.Field("prepared").EnumerateArray().Select(Documents).ToArray();
        var log = golden.Field("log").EnumerateArray().ToArray();
        var tokens = 0;
        foreach (var step in golden.Field("micro").EnumerateArray().GroupBy(m => m.GetProperty("step").GetInt32()))
        {
            var micro = step.ToArray();
            var batches = micro.Select(m => TokenBatch.Of(m.GetProperty("rows").EnumerateArray().SelectMany(row => rows[row.GetInt32()]))).ToArray();
            var counted = batches.Sum(batch => batch.Supervised);
            foreach (var (m, batch) in micro.Zip(batches)) Micro(m, batch, counted, micro.Length, curve.Loss(batch));
            var rate = curve.Rate(step.Key - 1, log.Length);
            var result = curve.Step(batches, rate);
            tokens += batches.Sum(batch => batch.Tokens);
            foreach (var field in log[step.Key - 1].EnumerateObject())
            {
                var what = $"{field.Name} of step {step.Key}";
                switch (field.Name)
                {
                    case "entropy" or "mean_token_accuracy":
                        break;   // not logged here
                    case "step":
                        Assert.Equal(step.Key, field.Value.GetInt32());
                        break;
                    case "num_tokens":
                        Assert.Equal(tokens, field.Value.GetDouble());
                        break;
                    case "loss":
                        Close.Assert(field.Value.GetDouble(), result.Loss, what, Bound);
                        break;
                    case "grad_norm":
                        Close.Assert(field.Value.GetDouble(), result.GradientNorm, what, Bound);
                        break;
                    case "learning_rate":
                        Close.Assert(field.Value.GetDouble(), rate, what, 1e-12);
                        break;
                    default:
                        Assert.Fail($"{what}: not understood");
                        break;
                }
            }
        }
        if (curve.Config.MaxSteps > 0) Assert.Equal(curve.Config.MaxSteps, log.Length);
        var values = curve.Parameters.ToDictionary(p => p.Name, p => p.Value);
        foreach (var name in golden.TensorNames) Close.Assert(golden.Expected(name), values[FullName(name["final.".Length..], values.Keys)], name, Bound);
    }

    /// <summary>
    /// Their short names: of a module, which has its layer's number behind it, and of what an adapter has there (<c>q_proj.0.lora_A</c>).
    /// A head that shares the embedding's matrix has no name of its own.
    /// </summary>
    internal static string FullName(string name, IEnumerable<string> names)
    {
        if (name == "lm_head" && !names.Any(full => full.Contains(name, StringComparison.Ordinal))) name = "embed_tokens";
        string[] parts = name.Split('.');
        var layer = parts.Length > 1 && int.TryParse(parts[1], out var number) ? $".{number}." : null;
        string[] rest = [.. parts.Skip(layer is null ? 1 : 2)];
        return names.Single(full =>
        {
            string[] own = full.Split('.');
            var at = Array.IndexOf(own, parts[0]);
            if (at < 0 || (layer is not null && !full.Contains(layer, StringComparison.Ordinal))) return false;
            string[] behind = [.. own.Skip(at + 1).Where(part => part is not "default")];
            return behind.SequenceEqual(rest) || behind.SequenceEqual([.. rest, "weight"]);
        });
    }

    private static void Options(GoldenCase golden)
    {
        foreach (var option in golden.Field("options").EnumerateObject())
        {
            switch (option.Name)
            {
                case "max_length" or "truncation_mode" or "packing" or "packing_strategy" or "padding_free" or "completion_only_loss" or "assistant_only_loss"
                    or "dataset_text_field" or "pad_to_multiple_of":
                    break;   // the rows are prepared already
                case "loss_type" or "label_smoothing_factor" or "neftune_noise_alpha":
                    if (Refusals.OfSft(option) is { } refusal) Golden.Skip(golden.Area, refusal);
                    break;
                default:
                    Assert.Fail($"the option '{option.Name}' is not understood");
                    break;
            }
        }
    }

    private static void Micro(JsonElement micro, TokenBatch batch, int counted, int count, double loss)
    {
        foreach (var field in micro.EnumerateObject())
        {
            switch (field.Name)
            {
                case "rows" or "step":
                    break;
                case "counted_tokens":
                    Assert.Equal(field.Value.GetInt32(), batch.Supervised);
                    break;
                case "num_items_in_batch":
                    Assert.Equal(field.Value.GetInt32(), counted);
                    break;
                case "accumulation_steps":
                    Assert.Equal(field.Value.GetInt32(), count);
                    break;
                case "compute_loss" or "backward_loss":
                    Close.Assert(field.Value.GetDouble(), loss / counted, field.Name, Bound);
                    break;
                default:
                    Assert.Fail($"the field '{field.Name}' of a micro-batch is not understood");
                    break;
            }
        }
    }

    /// <summary>A row is one document, or those that were packed into it.</summary>
    private static Document[] Documents(JsonElement row)
    {
        var ids = Integers("input_ids");
        var labels = Integers("labels");
        var lengths = row.TryGetProperty("seq_lengths", out _) ? Integers("seq_lengths") : [ids.Length];
        return [.. lengths.Select((length, i) => Curve.Document(
            ids[lengths[..i].Sum()..(lengths[..i].Sum() + length)], labels[lengths[..i].Sum()..(lengths[..i].Sum() + length)]))];

        int[] Integers(string name) => [.. row.GetProperty(name).EnumerateArray().Select(x => x.GetInt32())];
    }
}
