using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Objectives;
using LlmTune.Training;

namespace LlmTune.Tests.Adapters;

/// <summary>Adapted and merged outputs, gradients, saved folders and training curves, against PEFT.</summary>
public class PeftGoldenTests
{
    private const string Area = "peft";

    public static IEnumerable<TheoryDataRow<string>> Cases => Golden.Cases(Area);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Adapter_equals_peft(string folder)
    {
        using var golden = new GoldenCase(Area, folder);
        using var scope = NewDisposeScope();
        if (golden.Has("parameters") && !golden.Has("peft_config"))
        {
            Assert.Skip("describes a base model; nothing to compare");
        }
        else if (golden.Has("rows")) Targets(golden);
        else if (golden.Has("good")) Malformed(golden);
        else if (golden.Has("order")) Curve(golden);
        else if (golden.Has("converted_config") || golden.TensorNames.Any(name => name.StartsWith("init.", StringComparison.Ordinal))) Golden.Skip(Area, "other initialisations");
        else if (golden.TensorNames.Any(name => name.StartsWith("right_merge.", StringComparison.Ordinal))) Golden.Skip(Area, "merging into one side of tied ends");
        else if (golden.Has("inputs") && golden.Has("adapter") && golden.Has("peft_config")) Adapted(golden);
        else Golden.Skip(Area, $"case {golden.Name} with {string.Join(", ", golden.Json.EnumerateObject().Select(f => f.Name).Take(12))}");
    }

    private static AdapterSet Load(GoldenCase golden, Decoder model, bool trainable)
    {
        try
        {
            var set = AdapterFolder.Load(golden.PathOf("adapter"), [.. model.Linears], model.Device, trainable);
            set.Activate(model.Linears);
            return set;
        }
        catch (UnsupportedAdapterException e)
        {
            Golden.Skip(Area, e.Message[(e.Message.IndexOf(": ", StringComparison.Ordinal) + 2)..]);
            throw;
        }
    }

    private static void Adapted(GoldenCase golden)
    {
        var opened = golden.OpenModel(golden.PathOf("model"));
        // Stored in 16 bits: computed in float32 here and compared with the bound of 16-bit values; what is rounded once is exact.
        using var model = opened.Load(Golden.Device, ScalarType.Float32, _ => true);   // a copy: merging writes into it
        using var set = Load(golden, model, trainable: true);
        golden.Described(
            "case", "library", "versions", "model_class", "peft_config_class", "how", "note", "reload_max_difference", "merged_minus_adapted_max",
            "loss_by_hand", "dtype", "merge_rounding", "merged_tie_word_embeddings");
        Assert.Empty(golden.Field("no_gradient").EnumerateArray());
        Assert.Empty(golden.Field("merged_keys_not_in_base").EnumerateArray());
        Assert.True(golden.Field("disable_adapter").GetProperty("equals_base").GetBoolean());
        ConfigAgrees(golden, set);
        Saved(golden, set, model);
        Scalings(golden, set);
        Assert.Equal(golden.Field("parameters").GetProperty("trainable").GetInt64(), set.Tensors.Sum(t => t.Tensor.Value.numel()));

        var rows = PaddedRows.Read(golden.Field("inputs"));
        var whole = PaddedRows.Whole(golden.Json.GetProperty("inputs"));
        var losses = golden.Field("loss");
        var sixteenBit = opened.Spec.StoredType is ScalarType.BFloat16 or ScalarType.Float16;
        double lossBound = sixteenBit ? 2e-2 : 1e-5;

        AdapterSet.Deactivate(model.Linears);
        Compare("base");
        set.Activate(model.Linears);
        Compare("adapted");
        Gradients("grad.", losses.GetProperty("adapted").GetDouble(), DropoutSource.None);
        if (golden.TensorNames.Any(name => name.StartsWith("mask.", StringComparison.Ordinal)))
        {
            var given = golden.TensorNames.Where(n => n.StartsWith("mask.", StringComparison.Ordinal)).ToDictionary(n => n[5..], golden.Expected);
            var real = new GivenMasks(given.ToDictionary(m => m.Key, m => rows.Real(m.Value).to(model.Device)));
            Close.Assert(rows.Real(golden.Expected("train.logits")), Logits(real), "train.logits");
            var all = new GivenMasks(given.ToDictionary(m => m.Key, m => m.Value.flatten(0, 1).to(model.Device)));
            Gradients("train_grad.", losses.GetProperty("train_with_masks").GetDouble(), all);
        }
        Merged();
        golden.Finish();

        void Compare(string which)
        {
            var expected = rows.Real(golden.Expected($"{which}.logits"));
            Close.Assert(expected, Logits(DropoutSource.None).to(expected.dtype), $"{which}.logits");
            Close.Assert(losses.GetProperty(which).GetDouble(), Loss(model, whole, Padding()), $"loss.{which}", lossBound);
        }

        PaddedContext Padding() => new(whole.Real, whole.Rows, whole.Width, model.Device);

        Tensor Logits(DropoutSource dropout)
        {
            using var _ = no_grad();
            var pass = new Pass(model.Packed(rows.Positions, rows.Bounds), dropout);
            return model.Logits(model.Forward(tensor(rows.Ids, ScalarType.Int64, model.Device), pass), pass);
        }

        void Gradients(string prefix, double loss, DropoutSource dropout)
        {
            foreach (var (_, t) in set.Tensors) t.Gradient?.zero_();
            var pass = new Pass(Padding(), dropout);
            var chain = new Chain(model, pass, recomputed: 1);
            var hidden = chain.Forward(tensor(whole.Ids, ScalarType.Int64, model.Device));
            var (logProbs, gradient) = new TokenStatistics(model, chunk: 6).Backward(
                hidden, tensor(whole.Predicting, ScalarType.Int64, model.Device), tensor(whole.Targets, ScalarType.Int64, model.Device),
                Sft.Coefficients(whole.Targets.Length, whole.Targets.Length, model.Device), pass, chain.NeedsGradient);
            chain.Backward(gradient!);
            Close.Assert(loss, -logProbs.mean().ToDouble(), $"loss of {prefix}", lossBound);
            foreach (var (name, t) in set.Tensors)
                Close.Assert(golden.Expected(prefix + Parameter(name)), t.Gradient!, prefix + name, sixteenBit ? 5e-2 : null, floor: 1e-3);
        }

        void Merged()
        {
            var changed = golden.Field("merged_weights").EnumerateArray().Select(x => x.GetString()!).ToHashSet();
            Assert.Equal(changed.Order(), set.Adapters.Select(a => a.Module + ".weight").Order());
            foreach (var part in model.Linears.Where(part => part.Adapter is not null))
            {
                var merged = part.Adapter!.Merge(part.Weight.Dense().detach().to(ScalarType.Float32));
                var expected = golden.Expected($"merged.weight.{part.Name}.weight");
                if (golden.HasTensor($"rounded_once.{part.Name}.weight"))
                {
                    var once = golden.Expected($"rounded_once.{part.Name}.weight");
                    Assert.True(once.eq(merged.to(once.dtype)).all().ToBoolean(), $"{part.Name}: rounded once, bit for bit");
                }
                Close.Assert(expected, merged.to(expected.dtype), $"merged {part.Name}");
                using var _ = no_grad();
                part.Weight.Dense().copy_(merged.to(opened.Spec.StoredType ?? ScalarType.Float32));
            }
            AdapterSet.Deactivate(model.Linears);
            Compare("merged");
        }
    }

    private static double Loss(
        Decoder model, (int[] Ids, bool[] Real, int[] Predicting, int[] Targets, int Rows, int Width) rows, AttentionContext context)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var pass = new Pass(context);
        var hidden = model.Forward(tensor(rows.Ids, ScalarType.Int64, model.Device), pass);
        return -new TokenStatistics(model).LogProbabilities(
            hidden, tensor(rows.Predicting, ScalarType.Int64, model.Device), tensor(rows.Targets, ScalarType.Int64, model.Device), pass).mean().ToDouble();
    }

    private static void Curve(GoldenCase golden)
    {
        var opened = golden.OpenModel(golden.PathOf("model"));
        using var model = opened.Load(Golden.Device, ScalarType.Float32);
        using var set = Load(golden, model, trainable: true);
        golden.Described("case", "library", "versions", "peft_config_class", "how", "note", "model_class", "peft_config");
        var optimizer = golden.Field("optimizer");
        Assert.Equal("AdamW", optimizer.GetProperty("class").GetString());
        var groups = optimizer.GetProperty("groups");
        var group = Assert.Single(groups.EnumerateArray());
        Saved(golden, set, model);
        var betas = optimizer.GetProperty("betas");
        var adam = new AdamW(
            FlatParameters.Group(set.Tensors.Select(t => t.Tensor), group.GetProperty("weight_decay").GetDouble()),
            betas[0].GetDouble(), betas[1].GetDouble(), optimizer.GetProperty("eps").GetDouble());
        var batches = golden.Field("batches").EnumerateArray().Select(PaddedRows.Whole).ToArray();
        var contexts = batches.ToDictionary(rows => Batch(rows).Ids, rows => (AttentionContext)new PaddedContext(rows.Real, rows.Rows, rows.Width, model.Device));
        var trainer = new Trainer(
            model, adam, golden.Field("max_grad_norm").GetDouble(), recomputed: 1, seed: 0, batch => contexts[batch.Ids]);
        var order = golden.Field("order").EnumerateArray().Select(x => x.GetInt32()).ToArray();
        var losses = golden.Field("losses").EnumerateArray().Select(x => x.GetDouble()).ToArray();
        var norms = golden.Field("grad_norms_before_clipping").EnumerateArray().Select(x => x.GetDouble()).ToArray();
        for (var step = 0; step < order.Length; step++)
        {
            var rows = batches[order[step]];
            var result = trainer.Step([Batch(rows)], group.GetProperty("lr").GetDouble());
            Close.Assert(losses[step], result.Loss, $"loss of step {step}", 1e-4);
            Close.Assert(norms[step], result.GradientNorm, $"gradient norm of step {step}", 1e-4);
        }
        var after = golden.Field("losses_after_per_batch").EnumerateArray().Select(x => x.GetDouble()).ToArray();
        for (var b = 0; b < batches.Length; b++) Close.Assert(after[b], Loss(model, batches[b], contexts[batches[b].Ids]), $"loss of batch {b} at the end", 1e-4);
        foreach (var (name, t) in set.Tensors) Close.Assert(golden.Expected("final." + name), t.Value, "final." + name, 1e-4);
        golden.Finish();

        static TokenBatch Batch((int[] Ids, bool[] Real, int[] Predicting, int[] Targets, int Rows, int Width) rows) => new()
        {
            Ids = rows.Ids,
            Positions = [.. Enumerable.Range(0, rows.Ids.Length).Select(i => i % rows.Width)],
            Bounds = [.. Enumerable.Range(0, rows.Rows + 1).Select(r => r * rows.Width)],
            Predicting = rows.Predicting,
            Targets = rows.Targets,
            Keys = [.. Enumerable.Range(0, rows.Rows).Select(r => (ulong)r)],
            Sources = new int[rows.Rows],
        };
    }

    /// <summary>The options that the case names are what the folder's config says.</summary>
    private static void ConfigAgrees(GoldenCase golden, AdapterSet set)
    {
        var config = (JsonObject)JsonNode.Parse(golden.Field("peft_config").GetRawText())!;
        var plan = PeftConfig.Read(config, "peft_config");
        Assert.Equal(plan.Rank, set.Plan.Rank);
        Assert.Equal(plan.Alpha, set.Plan.Alpha);
        if (config.ContainsKey("lora_dropout")) Assert.Equal(plan.Dropout, set.Plan.Dropout);
        Assert.Equal(plan.UseRsLora, set.Plan.UseRsLora);
    }

    /// <summary>Names and shapes of what is trained and saved; the folder that we write has the same keys and values.</summary>
    private static void Saved(GoldenCase golden, AdapterSet set, Decoder model)
    {
        var saved = golden.Field("saved_keys").EnumerateObject().ToDictionary(k => k.Name, k => k.Value.EnumerateArray().Select(x => x.GetInt64()).ToArray());
        saved = saved.Where(k => !k.Key.Contains(".base_layer.", StringComparison.Ordinal)).ToDictionary();
        var tensors = set.Tensors.ToDictionary(t => t.Name, t => t.Tensor);
        Assert.Equal(saved.Keys.Order(), tensors.Keys.Order());
        foreach (var (name, shape) in saved) Assert.Equal(shape, tensors[name].Value.shape);
        foreach (var parameter in golden.Field("trainable").EnumerateArray())
            Assert.Equal(Parameter(parameter.GetProperty("saved_as").GetString()!), parameter.GetProperty("name").GetString());

        var copy = Directory.CreateTempSubdirectory("llmtune-peft-");
        try
        {
            AdapterFolder.Write(copy.FullName, set, [.. model.Linears], "base");
            using var written = SafetensorsFile.Open(Path.Combine(copy.FullName, AdapterFolder.WeightsName));
            foreach (var (name, t) in tensors) Close.Assert(t.Value, written.Alias(name), "written " + name, 0);
            using var again = AdapterFolder.Load(copy.FullName, [.. model.Linears], CPU, trainable: false);
            Assert.Equal(tensors.Keys.Order(), again.Tensors.Select(t => t.Name).Order());
        }
        finally
        {
            copy.Delete(recursive: true);
        }
    }

    private static void Scalings(GoldenCase golden, AdapterSet set)
    {
        var expected = golden.Field("scaling").EnumerateObject().ToDictionary(m => m.Name, m => m.Value);
        Assert.Equal(expected.Keys.Order(), set.Adapters.Select(a => a.Module).Order());
        foreach (var adapter in set.Adapters.Cast<LoraAdapter>())
        {
            Assert.Equal(expected[adapter.Module].GetProperty("r").GetProperty("default").GetInt64(), adapter.Rank);
            Close.Assert(expected[adapter.Module].GetProperty("scaling").GetProperty("default").GetDouble(), adapter.Scaling, adapter.Module, 1e-12);
        }
    }

    /// <summary>Which modules many settings pick, with rank and scaling, or an error.</summary>
    private static void Targets(GoldenCase golden)
    {
        golden.Described("case", "library", "versions", "note");
        var skipped = new List<string>();
        var run = 0;
        foreach (var row in golden.Field("rows").EnumerateArray())
        {
            var text = row.GetRawText();
            var options = (JsonObject)JsonNode.Parse(row.GetProperty("options").GetRawText())!;
            options["peft_type"] = "LORA";
            options["r"] ??= 2;
            options["lora_alpha"] ??= 8;
            Decoder model;
            try
            {
                model = ModelFolder.Open(Path.Combine(golden.Folder, "..", row.GetProperty("base").GetString()!, "model")).Load(CPU, ScalarType.Float32);
            }
            catch (UnsupportedModelException e)
            {
                skipped.Add(e.Message);
                continue;
            }
            using (model)
            {
                LoraPlan plan;
                try
                {
                    plan = PeftConfig.Read(options, "options");
                }
                catch (UnsupportedAdapterException e) when (!row.TryGetProperty("error", out _))
                {
                    skipped.Add(e.Message);
                    continue;
                }
                catch (UnsupportedAdapterException)
                {
                    run++;
                    continue;
                }
                if (options["target_modules"]?.ToJsonString().Contains("embed_tokens", StringComparison.Ordinal) is true)
                {
                    skipped.Add("embeddings as targets");
                    continue;
                }
                run++;
                if (row.TryGetProperty("error", out var error))
                {
                    Assert.ThrowsAny<RequestException>(() => plan.Select(model.Linears));
                    continue;
                }
                var targets = plan.Select(model.Linears);
                var modules = row.GetProperty("modules").EnumerateObject().ToDictionary(m => m.Name, m => m.Value);
                Assert.True(modules.Keys.Order().SequenceEqual(targets.Select(t => t.Part.Name).Order()), text);
                foreach (var target in targets)
                {
                    var expected = modules[target.Part.Name];
                    Assert.Equal(expected.GetProperty("r").GetInt32(), target.Rank);
                    Assert.Equal(expected.GetProperty("lora_alpha").GetDouble(), target.Alpha);
                    Close.Assert(expected.GetProperty("scaling").GetDouble(), target.Scaling, text, 1e-12);
                }
                Assert.Equal(
                    row.GetProperty("trainable").GetInt64(), targets.Sum(t => t.Rank * (t.Part.Weight.In + t.Part.Weight.Out)));
                Assert.Equal(
                    row.GetProperty("keys").EnumerateArray().Select(k => k.GetString()!).Where(k => !k.Contains(".base_layer.", StringComparison.Ordinal)).Order(),
                    targets.SelectMany(t => new[] { "lora_A", "lora_B" }.Select(m => $"base_model.model.{t.Part.Name}.{m}.weight")).Order());
            }
        }
        Assert.True(run >= 20, $"only {run} rows were compared, {skipped.Count} are not built: {string.Join("; ", skipped.Distinct())}");
        TestContext.Current.AddWarning($"{run} rows compared, {skipped.Count} not built: {string.Join("; ", skipped.Distinct())}");
        golden.Finish();
    }

    /// <summary>Broken folders: one error that names everything.</summary>
    private static void Malformed(GoldenCase golden)
    {
        golden.Described("case", "library", "versions", "note");
        using var model = ModelFolder.Open(golden.PathOf("model")).Load(CPU, ScalarType.Float32);
        var linears = model.Linears.ToArray();
        AdapterFolder.Load(golden.PathOf("good"), linears, CPU, trainable: false).Dispose();
        foreach (var folder in golden.Field("folders").EnumerateArray())
        {
            var name = folder.GetProperty("folder").GetString()!;
            var path = Path.Combine(golden.Folder, name);
            var expect = folder.GetProperty("expect");
            Assert.Empty(expect.EnumerateObject().Select(f => f.Name).Except(["config", "weights", "missing", "unexpected", "shape", "loads", "merge"]));
            if (expect.TryGetProperty("loads", out _))
            {
                using var set = AdapterFolder.Load(path, linears, CPU, trainable: false);
                if (expect.TryGetProperty("merge", out _))
                {
                    var error = Assert.Throws<RunException>(() => Merging.Apply(set, linears, (_, _) => { }));
                    Assert.Contains("not finite", error.Message, StringComparison.Ordinal);
                }
                continue;
            }
            var message = Assert.ThrowsAny<Exception>(() => AdapterFolder.Load(path, linears, CPU, trainable: false));
            Assert.True(message is RequestException or RunException, $"{name}: {message}");
            foreach (var key in Keys("missing")) Assert.Contains($"{key}: missing", message.Message, StringComparison.Ordinal);
            foreach (var key in Keys("unexpected")) Assert.Contains($"{key}: unexpected", message.Message, StringComparison.Ordinal);
            foreach (var shape in expect.TryGetProperty("shape", out var shapes) ? shapes.EnumerateArray() : default)
            {
                Assert.Contains(
                    $"{shape.GetProperty("key").GetString()}: shape ({Shape(shape, "found")}), the model needs ({Shape(shape, "expected")})", message.Message, StringComparison.Ordinal);
            }
            if (expect.TryGetProperty("config", out var config))
            {
                // The case says in words what has to be complained of; each word of weight must be there.
                foreach (var word in config.GetString()!.Split(' ').Where(w => w.Contains('_', StringComparison.Ordinal) || w == "JSON" || w == "LORAX"))
                    Assert.Contains(word, message.Message, StringComparison.Ordinal);
            }
            if (expect.TryGetProperty("weights", out _)) Assert.Contains(AdapterFolder.WeightsName, message.Message, StringComparison.Ordinal);

            IEnumerable<string> Keys(string kind) =>
                expect.TryGetProperty(kind, out var list) ? list.EnumerateArray().Select(x => x.GetString()!) : [];
        }
        golden.Finish();

        static string Shape(JsonElement block, string which) => string.Join(", ", block.GetProperty(which).EnumerateArray().Select(x => x.GetInt64()));
    }

    /// <summary>PEFT's parameter has the adapter's name in it, its saved key has not.</summary>
    private static string Parameter(string saved) => saved.EndsWith(".weight", StringComparison.Ordinal) ? saved[..^7] + ".default.weight" : saved;

    private sealed class GivenMasks(Dictionary<string, Tensor> masks) : DropoutSource
    {
        protected override Tensor Mask(double p, string module, long width) => masks[module].to(ScalarType.Float32) / (1 - p);
    }
}
