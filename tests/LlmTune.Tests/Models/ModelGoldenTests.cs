using System.Text.Json;
using LlmTune.Data;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Objectives;
using LlmTune.Training;

namespace LlmTune.Tests.Models;

/// <summary>Logits, losses and the gradient of every tensor, against transformers.</summary>
public class ModelGoldenTests
{
    private const string Area = "models";

    public static IEnumerable<TheoryDataRow<string>> Cases => Golden.Cases(Area);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Model_equals_transformers(string folder)
    {
        using var golden = new GoldenCase(Area, folder);
        using var scope = NewDisposeScope();
        var modelFolder = golden.PathOf("model");
        var opened = golden.OpenModel(modelFolder);
        using var model = opened.Load(Golden.Device, ScalarType.Float32, _ => true);
        golden.Described("case", "what", "library", "class", "computed_in", "attn_implementation", "eval_mode", "seed", "saved_in", "logits_std");
        Assert.Empty(golden.Json.TryGetProperty("no_gradient", out _) ? golden.Field("no_gradient").EnumerateArray() : []);

        if (golden.Has("packed")) Packed(golden, model);
        else Batch(golden, model);
        if (golden.Has("greedy")) Greedy(golden, model);
        LegacyConfig(modelFolder, opened);
        golden.Finish();
    }

    private static void Batch(GoldenCase golden, Decoder model)
    {
        golden.Described("input_ids", "attention_mask", "labels");
        var rows = PaddedRows.Read(golden.Json);
        var (hidden, logits) = Forward(model, rows);
        Close.Assert(rows.Real(golden.Expected("logits")), logits, "logits");
        Close.Assert(rows.Real(golden.Expected("hidden_last")), model.Norm.Forward(hidden), "hidden_last");
        Assert.Equal(golden.Field("loss_tokens").GetInt32(), rows.Targets.Length);
        Close.Assert(TokenLogProbs(golden.Expected("token_logprobs"), golden.Json), LogProbs(model, hidden, rows), "token_logprobs");
        Gradients(golden, model, rows.Ids, rows.Positions, rows.Bounds, rows.Predicting, rows.Targets, golden.Field("loss").GetDouble());

        var left = golden.Field("left");
        Known(left, "input_ids", "attention_mask", "position_ids", "labels", "loss");
        var leftRows = PaddedRows.Read(left);
        var (leftHidden, leftLogits) = Forward(model, leftRows);
        Close.Assert(leftRows.Real(golden.Expected("left.logits")), leftLogits, "left.logits");
        var leftLogProbs = LogProbs(model, leftHidden, leftRows);
        Close.Assert(TokenLogProbs(golden.Expected("left.token_logprobs"), left), leftLogProbs, "left.token_logprobs");
        Close.Assert(left.GetProperty("loss").GetDouble(), -leftLogProbs.mean().ToDouble(), "left.loss");
    }

    private static void Packed(GoldenCase golden, Decoder model)
    {
        golden.Described("library_packed");
        var packed = golden.Field("packed");
        Known(packed, "input_ids", "position_ids", "labels", "document_bounds");
        var documents = golden.Field("documents").EnumerateArray().Select(document =>
        {
            Known(document, "input_ids", "labels", "loss_tokens", "loss");
            var ids = Ints(document.GetProperty("input_ids"));
            var made = new Document(ids, [.. Ints(document.GetProperty("labels")).Select(label => label != -100)]);
            Assert.Equal(document.GetProperty("loss_tokens").GetInt32(), made.TrainedCount);
            Close.Assert(document.GetProperty("loss").GetDouble(), -LogProbs(model, TokenBatch.Of([made])).mean().ToDouble(), "loss of a document");
            return made;
        }).ToArray();
        var batch = TokenBatch.Of(documents);
        Assert.Equal(Ints(packed.GetProperty("input_ids")[0]), batch.Ids);
        Assert.Equal(Ints(packed.GetProperty("position_ids")[0]), batch.Positions);
        Assert.Equal(Flatten(packed.GetProperty("document_bounds")), Bounds(packed, batch));
        Assert.Equal(golden.Field("loss_tokens").GetInt32(), batch.Supervised);
        var pass = new Pass(model.Packed(batch.Positions, batch.Bounds));
        using (no_grad())
        {
            var hidden = model.Forward(tensor(batch.Ids, ScalarType.Int64, model.Device), pass);
            Close.Assert(golden.Expected("logits")[0], model.Logits(hidden, pass), "logits");
            Close.Assert(golden.Expected("hidden_last")[0], model.Norm.Forward(hidden), "hidden_last");
        }
        var expected = golden.Expected("token_logprobs")[0];
        Close.Assert(expected.masked_select(expected.ne(0)), LogProbs(model, batch), "token_logprobs");
        Gradients(golden, model, batch.Ids, batch.Positions, batch.Bounds, batch.Predicting, batch.Targets, golden.Field("loss").GetDouble());
    }

    /// <summary>Through the chain (kept and recomputed) and through plain autograd over the whole model.</summary>
    private static void Gradients(
        GoldenCase golden, Decoder model, int[] ids, int[] positions, int[] bounds, int[] predicting, int[] targets, double loss)
    {
        var device = model.Device;
        var expected = golden.TensorNames.Where(name => name.StartsWith("grad.", StringComparison.Ordinal)).ToDictionary(name => name[5..], golden.Expected);
        foreach (var way in new[] { "kept", "recomputed", "plain autograd" })
        {
            using var scope = NewDisposeScope();
            foreach (var t in model.Tensors) t.Gradient?.zero_();
            var pass = new Pass(model.Packed(positions, bounds));
            var (p, y) = (tensor(predicting, ScalarType.Int64, device), tensor(targets, ScalarType.Int64, device));
            double found;
            if (way == "plain autograd")
            {
                var hidden = model.Forward(tensor(ids, ScalarType.Int64, device), pass);
                var mean = TokenStatistics.LogProbabilities(model.Logits(hidden.index_select(0, p), pass), y).mean().neg();
                mean.backward();
                found = mean.ToDouble();
            }
            else
            {
                var chain = new Chain(model, pass, way == "kept" ? 0 : model.Blocks.Count);
                var hidden = chain.Forward(tensor(ids, ScalarType.Int64, device));
                var (logProbs, gradient) = new TokenStatistics(model, chunk: 5).Backward(
                    hidden, p, y, Sft.Coefficients(targets.Length, 1.0 / targets.Length, device), pass, chain.NeedsGradient);
                chain.Backward(gradient!);
                found = -logProbs.mean().ToDouble();
            }
            Close.Assert(loss, found, $"loss, {way}");
            var gradients = model.Tensors.SelectMany(t => t.Gradients).ToDictionary(g => g.Name, g => g.View);
            Assert.Equal(expected.Keys.Order(), gradients.Keys.Order());
            foreach (var (name, tensor) in expected) Close.Assert(tensor, gradients[name], $"grad.{name}, {way}", floor: 1e-3);
        }
    }

    private static void Greedy(GoldenCase golden, Decoder model)
    {
        var greedy = golden.Field("greedy");
        Known(greedy, "prompt_ids", "new_ids", "smallest_margin", "how");
        var ids = Ints(greedy.GetProperty("prompt_ids")).ToList();
        var start = ids.Count;
        var wanted = Ints(greedy.GetProperty("new_ids"));
        using var _ = no_grad();
        while (ids.Count < start + wanted.Length)
        {
            using var scope = NewDisposeScope();
            var pass = new Pass(model.Packed([.. Enumerable.Range(0, ids.Count)], [0, ids.Count]));
            var hidden = model.Forward(tensor(ids.ToArray(), ScalarType.Int64, model.Device), pass);
            ids.Add((int)model.Logits(hidden[^1..], pass).argmax().ToInt64());
        }
        Assert.Equal(wanted, ids[start..]);
    }

    /// <summary>The older form of the config means the same model.</summary>
    private static void LegacyConfig(string folder, ModelFolder opened)
    {
        var legacy = Path.Combine(folder, "config.legacy.json");
        if (!File.Exists(legacy)) return;
        var spec = FamilyTable.Read(ConfigJson.Read(legacy));
        Assert.Equal(opened.Spec.Blocks, spec.Blocks);
        Assert.Equal(opened.Spec with { Blocks = [], EndTokens = [] }, spec with { Blocks = [], EndTokens = [] });
        Assert.Equal(opened.Spec.EndTokens, spec.EndTokens);
    }

    private static (Tensor Hidden, Tensor Logits) Forward(Decoder model, PaddedRows rows)
    {
        using var _ = no_grad();
        var pass = new Pass(model.Packed(rows.Positions, rows.Bounds));
        var hidden = model.Forward(tensor(rows.Ids, ScalarType.Int64, model.Device), pass);
        return (hidden, model.Logits(hidden, pass));
    }

    private static Tensor LogProbs(Decoder model, Tensor hidden, PaddedRows rows) => new TokenStatistics(model, chunk: 7).LogProbabilities(
        hidden, tensor(rows.Predicting, ScalarType.Int64, model.Device), tensor(rows.Targets, ScalarType.Int64, model.Device),
        new Pass(model.Packed(rows.Positions, rows.Bounds)));

    private static Tensor LogProbs(Decoder model, TokenBatch batch)
    {
        using var _ = no_grad();
        var pass = new Pass(model.Packed(batch.Positions, batch.Bounds));
        var hidden = model.Forward(tensor(batch.Ids, ScalarType.Int64, model.Device), pass);
        return new TokenStatistics(model).LogProbabilities(
            hidden, tensor(batch.Predicting, ScalarType.Int64, model.Device), tensor(batch.Targets, ScalarType.Int64, model.Device), pass);
    }

    /// <summary>The entries at labels, row after row.</summary>
    private static Tensor TokenLogProbs(Tensor expected, JsonElement block)
    {
        var places = new List<long>();
        var width = expected.shape[1];
        var rows = block.GetProperty("labels").EnumerateArray().Select(Ints).ToArray();
        for (var r = 0; r < rows.Length; r++)
            for (var t = 0; t < width; t++)
                if (rows[r][t + 1] != -100) places.Add(r * width + t);
        return expected.flatten().index_select(0, tensor(places.ToArray(), ScalarType.Int64));
    }

    private static int[] Bounds(JsonElement packed, TokenBatch batch) =>
        packed.GetProperty("document_bounds")[0].ValueKind == JsonValueKind.Array
            ? [.. batch.Bounds[..^1].Zip(batch.Bounds[1..]).SelectMany(pair => new[] { pair.First, pair.Second })]
            : batch.Bounds;

    private static int[] Flatten(JsonElement list) =>
        [.. list.EnumerateArray().SelectMany(item => item.ValueKind == JsonValueKind.Array ? Ints(item) : [item.GetInt32()])];

    private static int[] Ints(JsonElement list) => [.. list.EnumerateArray().Select(x => x.GetInt32())];

    private static void Known(JsonElement block, params string[] names) =>
        Assert.Empty(block.EnumerateObject().Select(field => field.Name).Except(names));
}
