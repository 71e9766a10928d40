using System.Text.Json;
using LlmTune.Data;

namespace LlmTune.Tests.Training;

/// <summary>Curves of TRL's SFTTrainer: the model or an adapter, rows alone, packed or cut from a stream.</summary>
internal static class SftCurves
{
    private const double Bound = 1e-4;

    /// <summary>Their short names of tensors.</summary>
    private static readonly Dictionary<string, string> Names = new(StringComparer.Ordinal)
    {
        ["final.lm_head"] = "lm_head.weight",
        ["final.embed_tokens"] = "model.embed_tokens.weight",
        ["final.norm"] = "model.norm.weight",
        ["final.q_proj.0"] = "model.layers.0.self_attn.q_proj.weight",
        ["final.q_proj.0.lora_A"] = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight",
        ["final.q_proj.0.lora_B"] = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.default.weight",
        ["final.v_proj.1.lora_B"] = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.default.weight",
    };

    /// <summary>Trains the case again and compares; it counts as run or skipped.</summary>
    public static void Replay(GoldenCase golden)
    {
        using var scope = NewDisposeScope();
        golden.Described("case", "library", "versions", "what", "order", "log_note", "lora", "tokenizer", "dataset");   // preparation is a matter of the sft-data cases
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
        Assert.Equal(curve.Config.MaxSteps, log.Length);
        var values = curve.Parameters.ToDictionary(p => p.Name, p => p.Value);
        foreach (var name in golden.TensorNames) Close.Assert(golden.Expected(name), values[Names[name]], name, Bound);
        golden.Finish();
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
                case "loss_type" when option.Value.GetString() != "nll":
                    Golden.Skip(golden.Area, $"loss_type {option.Value.GetString()}");
                    break;
                case "loss_type":
                    break;
                case "label_smoothing_factor":
                    Assert.Equal(0, option.Value.GetDouble());
                    break;
                case "neftune_noise_alpha":
                    Assert.Equal(JsonValueKind.Null, option.Value.ValueKind);
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
