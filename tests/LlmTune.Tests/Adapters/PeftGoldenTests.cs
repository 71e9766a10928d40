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
        golden.Described("case", "library", "versions", "note", "how");
        if (golden.Has("modules_that_are_linear")) Base(golden);
        else if (golden.Has("rows")) Targets(golden);
        else if (golden.Has("good")) Malformed(golden);
        else if (golden.Has("bits")) Golden.Skip(Area, Refusals.OfAdapter("init_lora_weights: loftq") ?? throw new NotSupportedException("LoftQ is taken, but no test compares it"));
        else OnModel(golden, golden.OpenModel(golden.PathOf("model")));
        golden.Finish();
    }

    /// <summary>A model that is not built is what a case is skipped for first, whatever it does with it.</summary>
    private static void OnModel(GoldenCase golden, ModelFolder opened)
    {
        if (golden.Has("statistics")) RandomStart(golden, opened);
        else if (golden.Has("adapters")) Several(golden, opened);
        else if (golden.Has("converted_config")) Converted(golden, opened);
        else if (golden.Has("order")) Curve(golden, opened);
        else if (golden.Has("inputs") && golden.Has("adapter") && golden.Has("peft_config")) Adapted(golden, opened);
        else Assert.Fail($"{golden.Name}: no test understands a case of {string.Join(", ", golden.Json.EnumerateObject().Select(field => field.Name))}");
    }

    private static AdapterSet Load(GoldenCase golden, Decoder model, bool trainable)
    {
        try
        {
            var set = AdapterFolder.Load(golden.PathOf("adapter"), model.Parts, model.Device, trainable);
            set.Activate(model.Parts);
            return set;
        }
        catch (UnsupportedAdapterException e)
        {
            golden.Skip(e);
            throw;
        }
    }

    /// <summary>A model that others share: its tensors, and which of its modules are linear layers (the head among them).</summary>
    private static void Base(GoldenCase golden)
    {
        golden.Described("seed", "dtype", "class");
        using var model = golden.OpenModel(Path.Combine(golden.Folder, "model")).Load(CPU, ScalarType.Float32);
        var expected = golden.Field("parameters").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.EnumerateArray().Select(x => x.GetInt64()).ToArray());
        var tensors = model.Tensors.SelectMany(t => t.Views).ToDictionary(t => t.Name, t => t.View.shape);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), tensors.Keys.Order(StringComparer.Ordinal));
        Assert.All(expected, parameter => Assert.Equal(parameter.Value, tensors[parameter.Key]));
        var linear = golden.Field("modules_that_are_linear").EnumerateArray().Select(name => name.GetString()!);
        Assert.Equal(linear.Order(StringComparer.Ordinal), model.Parts.OfType<LinearPart>().Select(part => part.Name).Order(StringComparer.Ordinal));
    }

    /// <summary>How a fresh adapter is drawn: A evenly within ±1/√in, B zero; of an embedding A is zero and B normal.</summary>
    private static void RandomStart(GoldenCase golden, ModelFolder opened)
    {
        golden.Described("rules");
        using var model = opened.Load(CPU, ScalarType.Float32);
        var usual = golden.Field("statistics").EnumerateObject().First(start => start.Name.StartsWith("true", StringComparison.Ordinal)).Value;
        foreach (var parameter in usual.EnumerateObject())
        {
            string[] path = parameter.Name["base_model.model.".Length..].Split(".lora_");
            var rank = (int)parameter.Value.GetProperty("shape")[path[1].Contains("A.", StringComparison.Ordinal) ? 0 : 1].GetInt64();
            using var set = AdapterSet.Create(new LoraPlan { Rank = rank, Alpha = rank, Targets = ModuleSelector.Names(path[0].Split('.')[^1]) }, model.Parts, seed: 5, CPU);
            var tensor = set.Tensors.Single(t => t.Name.StartsWith($"base_model.model.{path[0]}.lora_{path[1].Split('.')[0]}", StringComparison.Ordinal)).Tensor.Value.detach();
            Assert.Equal(parameter.Value.GetProperty("shape").EnumerateArray().Select(x => x.GetInt64()), tensor.shape);
            Assert.Equal(parameter.Value.GetProperty("all_zero").GetBoolean(), tensor.eq(0).all().ToBoolean());
            if (parameter.Value.GetProperty("all_zero").GetBoolean()) continue;
            var (largest, spread) = (Math.Max(parameter.Value.GetProperty("max").GetDouble(), -parameter.Value.GetProperty("min").GetDouble()), parameter.Value.GetProperty("std").GetDouble());
            Assert.InRange(tensor.std().ToDouble(), 0.8 * spread, 1.2 * spread);
            Assert.InRange(tensor.abs().max().ToDouble(), 0.7 * largest, 1.5 * largest);
        }
    }

    /// <summary>Several adapters of one model, each alone, and one for each row. What joins them is not built: that is left out.</summary>
    private static void Several(GoldenCase golden, ModelFolder opened)
    {
        golden.Described("combinations");
        using var model = opened.Load(Golden.Device, ScalarType.Float32);
        var whole = PaddedRows.Whole(golden.Json.GetProperty("inputs"));
        var rows = PaddedRows.Read(golden.Field("inputs"));
        var (losses, logits) = (golden.Field("loss"), new Dictionary<string, Tensor>(StringComparer.Ordinal) { ["__base__"] = Logits() });
        Close.Assert(losses.GetProperty("base").GetDouble(), LossOf(), "loss.base");
        foreach (var adapter in golden.Field("adapters").EnumerateObject())
        {
            using var set = AdapterFolder.Load(Path.Combine(golden.Folder, adapter.Value.GetString()!), model.Parts, model.Device, trainable: false);
            set.Activate(model.Parts);
            logits[adapter.Name] = Logits();
            Close.Assert(losses.GetProperty(adapter.Name).GetDouble(), LossOf(), $"loss.{adapter.Name}");
            Close.Assert(rows.Real(golden.Expected($"logits.{adapter.Name}")), logits[adapter.Name], $"logits.{adapter.Name}");
            AdapterSet.Deactivate(model.Parts);
        }
        if (golden.Has("mixed_rows"))
        {
            var row = rows.Flat.Select(place => (int)(place / rows.Width)).ToArray();
            string[] names = [.. golden.Field("mixed_rows").EnumerateArray().Select(name => name.GetString()!)];
            var mixed = stack(row.Select((r, t) => logits[names[r]][t]));
            Close.Assert(rows.Real(golden.Expected("logits.mixed_rows")), mixed, "logits.mixed_rows");
        }
        golden.Understood(golden.TensorNames);

        double LossOf() => Loss(model, whole, new PaddedContext(whole.Real, whole.Rows, whole.Width, model.Device));

        Tensor Logits()
        {
            using var _ = no_grad();
            var pass = new Pass(model.Packed(rows.Positions, rows.Bounds));
            return model.Logits(model.Forward(tensor(rows.Ids, ScalarType.Int64, model.Device), pass), pass);
        }
    }

    /// <summary>An adapter that started from a part of the base, saved as a plain one for the untouched base. As it was trained it is refused.</summary>
    private static void Converted(GoldenCase golden, ModelFolder opened)
    {
        golden.Described("peft_config_class", "peft_config", "scaling", "converted_minus_adapted_max", "model_class");
        using var model = opened.Load(Golden.Device, ScalarType.Float32);
        Assert.Throws<UnsupportedAdapterException>(() => AdapterFolder.Load(golden.PathOf("adapter"), model.Parts, CPU, trainable: false));
        var converted = golden.Field("folders").EnumerateObject().Single(folder => folder.Name == "converted").Name;
        using var set = AdapterFolder.Load(Path.Combine(golden.Folder, converted), model.Parts, model.Device, trainable: false);
        var config = golden.Field("converted_config");
        Assert.Equal((config.GetProperty("r").GetInt32(), config.GetProperty("lora_alpha").GetDouble()), (set.Plan.Rank, set.Plan.Alpha));
        set.Activate(model.Parts);
        var whole = PaddedRows.Whole(golden.Json.GetProperty("inputs"));
        var rows = PaddedRows.Read(golden.Field("inputs"));
        using var _ = no_grad();
        var pass = new Pass(model.Packed(rows.Positions, rows.Bounds));
        var logits = model.Logits(model.Forward(tensor(rows.Ids, ScalarType.Int64, model.Device), pass), pass);
        Close.Assert(rows.Real(golden.Expected("adapted.logits")), logits, "adapted.logits");
        if (golden.HasTensor("converted.logits")) Close.Assert(rows.Real(golden.Expected("converted.logits")), logits, "converted.logits");
        Close.Assert(golden.Field("loss").GetProperty("converted").GetDouble(), Loss(model, whole, new PaddedContext(whole.Real, whole.Rows, whole.Width, model.Device)), "loss.converted");
        golden.Understood(golden.TensorNames);   // of the other base
    }

    private static void Adapted(GoldenCase golden, ModelFolder opened)
    {
        // Stored in 16 bits: computed in float32 here and compared with the bound of 16-bit values; what is rounded once is exact.
        using var model = opened.Load(Golden.Device, ScalarType.Float32, _ => true);   // a copy: merging writes into it
        using var set = Load(golden, model, trainable: true);
        golden.Described(
            "model_class", "peft_config_class", "reload_max_difference", "merged_minus_adapted_max", "loss_by_hand", "dtype", "merge_rounding", "scaling_note");
        Assert.Empty(golden.Field("no_gradient").EnumerateArray());
        Assert.Empty(golden.Field("merged_keys_not_in_base").EnumerateArray());
        ConfigAgrees(golden, set);
        Saved(golden, set, model);
        Scalings(golden, set);
        Assert.Equal(golden.Field("parameters").GetProperty("trainable").GetInt64(), set.Tensors.Sum(t => t.Tensor.Value.numel()) + SharedByTheHead(set));

        var rows = PaddedRows.Read(golden.Field("inputs"));
        var whole = PaddedRows.Whole(golden.Json.GetProperty("inputs"));
        var losses = golden.Field("loss");
        var sixteenBit = opened.Spec.StoredType is ScalarType.BFloat16 or ScalarType.Float16;
        double lossBound = sixteenBit ? 2e-2 : 1e-5;

        AdapterSet.Deactivate(model.Parts);
        Compare("base");
        Disabled();
        set.Activate(model.Parts);
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

        void Compare(string which, Decoder? other = null)
        {
            var expected = rows.Real(golden.Expected($"{which}.logits"));
            Close.Assert(expected, Logits(DropoutSource.None, other).to(expected.dtype), $"{which}.logits");
            Close.Assert(losses.GetProperty(which).GetDouble(), Loss(other ?? model, whole, Padding()), $"loss.{which}", lossBound);
        }

        PaddedContext Padding() => new(whole.Real, whole.Rows, whole.Width, model.Device);

        Tensor Logits(DropoutSource dropout, Decoder? other = null)
        {
            using var _ = no_grad();
            var of = other ?? model;
            var pass = new Pass(of.Packed(rows.Positions, rows.Bounds), dropout);
            return of.Logits(of.Forward(tensor(rows.Ids, ScalarType.Int64, of.Device), pass), pass);
        }

        void Gradients(string prefix, double loss, DropoutSource dropout)
        {
            foreach (var (_, t) in set.Tensors) t.Gradient?.zero_();
            var pass = new Pass(Padding(), dropout);
            var chain = new Chain(model, pass, recomputed: 1);
            var hidden = chain.Forward(tensor(whole.Ids, ScalarType.Int64, model.Device));
            var (logProbs, gradient) = new TokenStatistics(model, chunk: 6).Backward(
                hidden, tensor(whole.Predicting, ScalarType.Int64, model.Device), tensor(whole.Targets, ScalarType.Int64, model.Device),
                Sft.Coefficients(whole.Targets.Length, 1.0 / whole.Targets.Length, model.Device), pass, chain.NeedsGradient);
            chain.Backward(gradient!);
            Close.Assert(loss, -logProbs.mean().ToDouble(), $"loss of {prefix}", lossBound);
            var shared = set.Adapters.OfType<TiedHeadLora>().SelectMany(head => head.Saved.Select(t => AdapterFolder.Key(head.Module, t.Name))).ToArray();
            foreach (var (name, t) in set.Tensors)
            {
                // PEFT has a gradient for each end of tied matrices; ours is that of the one set of numbers: their sum.
                var expected = golden.Expected(prefix + Parameter(golden, name));
                if (shared.Length > 0 && name.EndsWith("lora_embedding_B", StringComparison.Ordinal)) expected += golden.Expected(prefix + Parameter(golden, shared[0])).t();
                if (shared.Length > 0 && name.EndsWith("lora_embedding_A", StringComparison.Ordinal)) expected += golden.Expected(prefix + Parameter(golden, shared[1])).t();
                Close.Assert(expected, t.Gradient!, prefix + name, sixteenBit ? 5e-2 : null, floor: 1e-3);
            }
        }

        // Switched off, ours is the base. PEFT trains biases in place and leaves them as they are: its output is the base's with the copies.
        void Disabled()
        {
            var equal = golden.Field("disable_adapter").GetProperty("equals_base").GetBoolean();
            Assert.Equal(equal, !set.Copies.Any(copy => copy.Own == "bias"));
            if (equal) return;
            set.Activate(model.Parts);
            foreach (var part in model.Parts) part.Adapter = null;
            var expected = rows.Real(golden.Expected("disabled.logits"));
            Close.Assert(expected, Logits(DropoutSource.None), "disabled.logits");
            AdapterSet.Deactivate(model.Parts);
        }

        void Merged()
        {
            var oneSided = golden.HasTensor("right_merge.logits");
            var merging = new Merging(set, model.Parts);
            var changed = golden.Field("merged_weights").EnumerateArray().Select(x => x.GetString()!).ToHashSet();
            var head = model.Head.Parts[0].Name + ".weight";
            // Where ends are tied PEFT lists the shared matrix under both names, whichever end the adapter belongs to.
            var ends = new[] { model.Embedding.Name + ".weight", head };
            Assert.Equal(changed.Except(oneSided ? ends : []).Order(), merging.Changed.Except(oneSided ? ends : []).Order());
            var untied = opened.Spec.TiedHead && !set.Plan.EnsureWeightTying && ends.Any(merging.Changes);
            var tie = oneSided ? golden.Field("right_merge").GetProperty("tie_word_embeddings") : golden.Json.GetProperty("merged_tie_word_embeddings");
            golden.Described("merged_tie_word_embeddings");
            Assert.Equal(tie.GetBoolean(), opened.Spec.TiedHead && !untied);

            using var whole32 = untied ? Untied(opened) : opened.Load(Golden.Device, ScalarType.Float32, _ => true);
            var tensors = whole32.Tensors.SelectMany(t => t.Views).ToDictionary(t => t.Name, t => t.View);
            foreach (var name in merging.Changed.Union(oneSided ? ends : []))
            {
                if (!merging.Changes(name))
                {
                    Close.Assert(golden.Expected($"right_merge.weight.{name}"), tensors[name], $"left alone {name}", 0);
                    continue;
                }
                var place = tensors.GetValueOrDefault(name) ?? tensors[ends[0]];   // a tied head is merged with its embedding
                var stored = model.Tensors.SelectMany(t => t.Views).ToDictionary(t => t.Name, t => t.View).GetValueOrDefault(name) ?? model.Embedding.Weight.Value.detach();
                var merged = merging.Apply(name, stored);
                if (golden.HasTensor($"rounded_once.{name}"))
                {
                    var once = golden.Expected($"rounded_once.{name}");
                    Assert.True(once.eq(merged.to(once.dtype)).all().ToBoolean(), $"{name}: rounded once, bit for bit");
                }
                var expected = golden.Expected($"{(golden.HasTensor($"right_merge.weight.{name}") ? "right_merge" : "merged")}.weight.{name}");
                Close.Assert(expected, merged.to(expected.dtype), $"merged {name}");
                using var _ = no_grad();
                place.copy_(merged.to(opened.Spec.StoredType ?? ScalarType.Float32));
            }
            merging.Finish();
            golden.Described(oneSided ? "right_merge" : "");
            if (oneSided)
            {
                // What PEFT makes of it is another model.
                golden.Understood(["merged.logits", .. ends.Select(name => $"merged.weight.{name}")]);
            }
            Compare(oneSided ? "right_merge" : "merged", whole32);
        }
    }

    /// <summary>The same model with a head of its own.</summary>
    private static Decoder Untied(ModelFolder folder)
    {
        using var tied = folder.Load(CPU, ScalarType.Float32);
        var tensors = tied.Tensors.SelectMany(t => t.Views).ToDictionary(t => t.Name, t => t.View.clone());
        tensors["lm_head.weight"] = tied.Embedding.Weight.Value.detach().clone();
        return new Decoder(folder.Spec with { TiedHead = false }, new GivenWeights(tensors));
    }

    /// <summary>PEFT counts matrices that the tied head shares with the embedding twice.</summary>
    private static long SharedByTheHead(AdapterSet set) => set.Adapters.OfType<TiedHeadLora>().Sum(head => head.Saved.Sum(t => t.Value.numel()));

    private sealed class GivenWeights(Dictionary<string, Tensor> tensors) : WeightSource(Golden.Device, ScalarType.Float32, _ => true)
    {
        protected override Tensor Fetch(IReadOnlyList<(string Name, long[] Shape)> parts, bool writable) => cat([.. parts.Select(part => tensors[part.Name])], 0).to(Device);
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

    private static void Curve(GoldenCase golden, ModelFolder opened)
    {
        using var model = opened.Load(Golden.Device, ScalarType.Float32);
        using var set = Load(golden, model, trainable: true);
        golden.Described("peft_config_class", "model_class", "peft_config");
        var optimizer = golden.Field("optimizer");
        if (optimizer.GetProperty("class").GetString() is not "AdamW" and var other) Golden.Skip(Area, Refusals.OfTraining($"optim: {other}") ?? throw new NotSupportedException(other));
        var groups = optimizer.GetProperty("groups").EnumerateArray().ToArray();
        Saved(golden, set, model);
        var betas = optimizer.GetProperty("betas");
        if (groups.DistinctBy(g => g.GetProperty("lr").GetDouble()).Count() > 1)
            Golden.Skip(Area, Refusals.OfTraining("loraplus_lr_ratio: 16") ?? throw new NotSupportedException("LoRA+ is taken, but no test compares it"));
        var rate = Assert.Single(groups.Select(g => g.GetProperty("lr").GetDouble()).Distinct());
        var parameters = set.Tensors.ToDictionary(t => Parameter(golden, t.Name), t => t.Tensor);
        Assert.Equal(parameters.Keys.Order(), groups.SelectMany(Names).Order());
        var adam = new AdamW(
            [.. groups.Select(g => new FlatParameters([.. Names(g).Select(name => parameters[name])], g.GetProperty("weight_decay").GetDouble()))],
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
            var result = trainer.Step([Batch(rows)], rate);
            Close.Assert(losses[step], result.Loss, $"loss of step {step}", 1e-4);
            Close.Assert(norms[step], result.GradientNorm, $"gradient norm of step {step}", 1e-4);
        }
        var after = golden.Field("losses_after_per_batch").EnumerateArray().Select(x => x.GetDouble()).ToArray();
        for (var b = 0; b < batches.Length; b++) Close.Assert(after[b], Loss(model, batches[b], contexts[batches[b].Ids]), $"loss of batch {b} at the end", 1e-4);
        foreach (var (module, name, value) in set.Saved)
        {
            var key = "final." + AdapterFolder.Key(module, name);
            if (golden.HasTensor(key)) Close.Assert(golden.Expected(key), value, key, 1e-4);   // what both ends share stands under both names
        }
        Assert.All(set.Tensors, t => Assert.True(golden.HasTensor("final." + t.Name), $"no final.{t.Name}"));
        foreach (var name in golden.TensorNames.Where(n => n.StartsWith("final.", StringComparison.Ordinal) && n.EndsWith(".base_layer.weight", StringComparison.Ordinal)))
            Close.Assert(golden.Expected(name), model.Tensors.SelectMany(t => t.Views).Single(t => name == $"final.base_model.model.{t.Name[..^7]}.base_layer.weight").View, name, 0);

        static IEnumerable<string> Names(JsonElement group) => group.GetProperty("params").EnumerateArray().Select(x => x.GetString()!);

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
        Assert.Equal(plan.Bias, set.Plan.Bias);
        Assert.Equal(plan.LoraBias, set.Plan.LoraBias);
        Assert.Equal(plan.EnsureWeightTying, set.Plan.EnsureWeightTying);
        Assert.Empty(plan.ModulesToSave.Except(set.Plan.ModulesToSave));
    }

    /// <summary>Names and shapes of what is trained and saved; the folder that we write has the same keys and values.</summary>
    private static void Saved(GoldenCase golden, AdapterSet set, Decoder model)
    {
        var saved = golden.Field("saved_keys").EnumerateObject().ToDictionary(k => k.Name, k => k.Value.EnumerateArray().Select(x => x.GetInt64()).ToArray());
        var tensors = set.Tensors.ToDictionary(t => t.Name, t => t.Tensor);
        foreach (var (name, t) in tensors) Assert.Equal(saved[name], t.Value.shape);

        var copy = Directory.CreateTempSubdirectory("llmtune-peft-");
        try
        {
            AdapterFolder.Write(copy.FullName, set, model.Parts, "base");
            using var written = SafetensorsFile.Open(Path.Combine(copy.FullName, AdapterFolder.WeightsName));
            using var theirs = SafetensorsFile.Open(Path.Combine(golden.PathOf("adapter"), AdapterFolder.WeightsName));
            // Some cases were saved without the frozen matrix of an adapted end (save_embedding_layers=False); PEFT writes it by default.
            Assert.Equal(saved.Keys.Order(), written.Tensors.Keys.Where(key => saved.ContainsKey(key) || !key.EndsWith(".base_layer.weight", StringComparison.Ordinal)).Order());
            foreach (var name in saved.Keys) Close.Assert(theirs.Alias(name), written.Alias(name), "written " + name, 0);
            using var again = AdapterFolder.Load(copy.FullName, model.Parts, CPU, trainable: false);
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
        var embedding = set.Adapters.OfType<EmbeddingLora>().FirstOrDefault();
        foreach (var adapter in set.Adapters)
        {
            var (rank, scaling) = adapter switch
            {
                LoraAdapter lora => (lora.Rank, lora.Scaling),
                EmbeddingLora or TiedHeadLora => (embedding!.Tensors.First().Value.shape[0], embedding.Scaling),
                _ => throw new InvalidOperationException($"{adapter}"),
            };
            Assert.Equal(expected[adapter.Module].GetProperty("r").GetProperty("default").GetInt64(), rank);
            Close.Assert(expected[adapter.Module].GetProperty("scaling").GetProperty("default").GetDouble(), scaling, adapter.Module, 1e-12);
        }
    }

    /// <summary>Which modules many settings pick, with rank and scaling, or an error.</summary>
    private static void Targets(GoldenCase golden)
    {
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
                run++;
                if (row.TryGetProperty("error", out var error))
                {
                    Assert.ThrowsAny<RequestException>(() => AdapterLayout.Of(plan, [.. model.Parts]));
                    continue;
                }
                var targets = AdapterLayout.Of(plan, [.. model.Parts]).Targets;
                var modules = row.GetProperty("modules").EnumerateObject().ToDictionary(m => m.Name, m => m.Value);
                Assert.True(modules.Keys.Order().SequenceEqual(targets.Select(t => t.Part.Name).Order()), text);
                foreach (var target in targets)
                {
                    var expected = modules[target.Part.Name];
                    Assert.Equal(expected.GetProperty("r").GetInt32(), target.Rank);
                    Assert.Equal(expected.GetProperty("lora_alpha").GetDouble(), target.Alpha);
                    Close.Assert(expected.GetProperty("scaling").GetDouble(), target.Scaling, text, 1e-12);
                }
                using var set = AdapterSet.Create(plan, model.Parts, seed: 1, CPU);
                Assert.Equal(row.GetProperty("trainable").GetInt64(), set.Tensors.Sum(t => t.Tensor.Value.numel()));
                using var folder = new TemporaryFolder();
                AdapterFolder.Write(folder.Path, set, model.Parts, "base");
                using var written = SafetensorsFile.Open(Path.Combine(folder.Path, AdapterFolder.WeightsName));
                Assert.Equal(row.GetProperty("keys").EnumerateArray().Select(k => k.GetString()!).Order(), written.Tensors.Keys.Order());
            }
        }
        if (run == 0) Golden.Skip(Area, string.Join("; ", skipped.Distinct()));
        TestContext.Current.AddWarning($"{run} rows compared, {skipped.Count} not built: {string.Join("; ", skipped.Distinct())}");
    }

    /// <summary>Broken folders: one error that names everything.</summary>
    private static void Malformed(GoldenCase golden)
    {
        using var model = golden.OpenModel(golden.PathOf("model")).Load(CPU, ScalarType.Float32);
        var parts = model.Parts.ToArray();
        AdapterFolder.Load(golden.PathOf("good"), parts, CPU, trainable: false).Dispose();
        foreach (var folder in golden.Field("folders").EnumerateArray())
        {
            var name = folder.GetProperty("folder").GetString()!;
            var path = Path.Combine(golden.Folder, name);
            var expect = folder.GetProperty("expect");
            Assert.Empty(expect.EnumerateObject().Select(f => f.Name).Except(["config", "weights", "missing", "unexpected", "shape", "loads", "merge"]));
            if (expect.TryGetProperty("loads", out _))
            {
                using var set = AdapterFolder.Load(path, parts, CPU, trainable: false);
                if (expect.TryGetProperty("merge", out _))
                {
                    var error = Assert.Throws<RunException>(() => Merge(set));
                    Assert.Contains("not finite", error.Message, StringComparison.Ordinal);
                }
                continue;
            }
            var message = Assert.ThrowsAny<Exception>(() => AdapterFolder.Load(path, parts, CPU, trainable: false));
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
                foreach (var word in config.GetString()!.Split(' ').Where(w => w.Contains('_', StringComparison.Ordinal) || w.Count(char.IsUpper) > 1))
                    Assert.Contains(word, message.Message, StringComparison.Ordinal);
            }
            if (expect.TryGetProperty("weights", out _)) Assert.Contains(AdapterFolder.WeightsName, message.Message, StringComparison.Ordinal);

            IEnumerable<string> Keys(string kind) =>
                expect.TryGetProperty(kind, out var list) ? list.EnumerateArray().Select(x => x.GetString()!) : [];
        }

        void Merge(AdapterSet set)
        {
            var merging = new Merging(set, parts);
            foreach (var part in parts.Where(part => merging.Changes(part.Name + ".weight"))) merging.Apply(part.Name + ".weight", part.Own.First().Value);
            merging.Finish();
        }

        static string Shape(JsonElement block, string which) => string.Join(", ", block.GetProperty(which).EnumerateArray().Select(x => x.GetInt64()));
    }

    /// <summary>PEFT's name of the parameter that is saved under a key.</summary>
    private static string Parameter(GoldenCase golden, string saved) => golden.Field("trainable").EnumerateArray()
        .Single(parameter => parameter.GetProperty("saved_as").GetString() == saved).GetProperty("name").GetString()!;

    private sealed class GivenMasks(Dictionary<string, Tensor> masks) : DropoutSource
    {
        protected override Tensor Mask(double p, string module, long width) => masks[module].to(ScalarType.Float32) / (1 - p);
    }
}
