using System.Text.Json;
using LlmTune.Config;
using LlmTune.Io;
using LlmTune.Quantization;
using LlmTune.Training;

namespace LlmTune.Tests.Training;

/// <summary>Schedules, warm-up, clipping and AdamW against transformers' and torch's own. Variants that are not built are left out.</summary>
public class OptimGoldenTests
{
    private const string Area = "optim";

    public static IEnumerable<TheoryDataRow<string>> Cases => Golden.Cases(Area);

    /// <summary>What a case holds, and what compares it.</summary>
    private static readonly (Func<JsonElement, bool> Fits, Action<string, JsonElement> Compare)[] Kinds =
    [
        (c => All(c, "schedules", "name", "kwargs"), Schedules),
        (c => All(c, "rows", "warmup_steps", "num_training_steps"), Warmups),
        (c => Any(c, "variants", "norm_type"), Clipped),
        (c => All(c, "variants", "optimizer"), Optimized),
        (c => c.TryGetProperty("no_gradient_at_steps", out _), SharedInputs),
        (c => All(c, "rows", "float32_bits", "bfloat16_bits"), Rounded),
        (c => c.TryGetProperty("models", out _), Groups),
        (c => c.TryGetProperty("optimizers", out _), Names),
        (c => All(c, "rows", "adapter", "options", "groups"), (_, c) => Refused(Items(c, "rows")[0].GetProperty("options").EnumerateObject().Where(o => o.Name != "lr"))),
        (c => Any(c, "runs", "defaults"), (_, _) => Skip("fp16: true")),
        (c => c.EnumerateObject().Any(field => All(c, field.Name, "kwargs", "metrics")), (_, c) =>
            Skip($"lr_scheduler_type: {c.EnumerateObject().First(field => All(c, field.Name, "kwargs", "metrics")).Name}")),
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Steps_equal_the_libraries(string folder)
    {
        var @case = Golden.Read(folder);
        var compare = Kinds.FirstOrDefault(kind => kind.Fits(@case)).Compare;
        Assert.True(compare is not null, $"no test understands a case of {string.Join(", ", @case.EnumerateObject().Select(field => field.Name))}");
        compare(folder, @case);
        Golden.Ran(Area);
    }

    /// <summary>Skips a case about a setting that the program refuses.</summary>
    private static void Skip(string line)
    {
        if (Refusals.OfTraining(line) is { } refusal) Golden.Skip(Area, refusal);
        Assert.Fail($"the program takes '{line}', but no test compares it");
    }

    private static void Refused(IEnumerable<JsonProperty> options) => Skip(string.Concat(options.Select(Refusals.Line)));

    private static List<JsonElement> Items(JsonElement @case, string list) =>
        @case.TryGetProperty(list, out var items) && items.ValueKind == JsonValueKind.Array ? [.. items.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Object)] : [];

    private static bool All(JsonElement @case, string list, params string[] fields) =>
        Items(@case, list) is { Count: > 0 } items && items.TrueForAll(item => fields.All(field => item.TryGetProperty(field, out _)));

    private static bool Any(JsonElement @case, string list, string field) => Items(@case, list).Exists(item => item.TryGetProperty(field, out _));

    // ---- schedules

    private static void Schedules(string folder, JsonElement @case)
    {
        foreach (var schedule in Items(@case, "schedules")) Rates(schedule);
        foreach (var attempt in Items(@case, "refused_or_odd")) Refused(attempt);
    }

    private static void Warmups(string folder, JsonElement @case)
    {
        foreach (var row in Items(@case, "rows"))
            Assert.Equal(row.GetProperty("steps").GetInt32(), Settings($"warmup_steps: {row.GetProperty("warmup_steps").GetRawText()}").Warmup(row.GetProperty("num_training_steps").GetInt32()));
        foreach (var attempt in Items(@case, "refused"))
        {
            // A share is a setting of its own here, as it was in transformers 4; half steps are refused.
            if (attempt.GetProperty("options").TryGetProperty("warmup_ratio", out _)) continue;
            var line = string.Concat(attempt.GetProperty("options").EnumerateObject().Select(Refusals.Line));
            if (attempt.TryGetProperty("error", out _)) Assert.NotNull(Refusals.OfTraining(line));
            else if (Refusals.OfTraining(line) is null) Assert.Equal(attempt.GetProperty("value").GetInt32(), Settings(line).Warmup(10));
        }
    }

    private static TrainingConfig Settings(string yaml) => ConfigFile.Parse<TrainingConfig>($"output_dir: out\n{yaml}\n", "options");

    private static string Yaml(JsonElement schedule) =>
        $"lr_scheduler_type: {schedule.GetProperty("name").GetString()}\nlr_scheduler_kwargs: {schedule.GetProperty("kwargs").GetRawText()}";

    private static void Rates(JsonElement schedule)
    {
        var (warmup, total) = (schedule.GetProperty("num_warmup_steps").GetInt32(), schedule.GetProperty("num_training_steps").GetInt32());
        if (!schedule.TryGetProperty("lr", out var rates))
        {
            Refused(schedule);
            return;
        }
        var made = Settings($"{Yaml(schedule)}\nlearning_rate: {Rate(schedule)}").ScheduleOf(total) with { Warmup = warmup };
        var steps = schedule.TryGetProperty("at", out var at) ? at.EnumerateArray().Select(step => step.GetInt32()) : Enumerable.Range(0, rates.GetArrayLength());
        foreach (var (step, rate) in steps.Zip(rates.EnumerateArray()))
            Assert.True(Math.Abs(made.At(step) - rate.GetDouble()) <= 1e-12, $"{schedule.GetProperty("name")} {schedule.GetProperty("kwargs")} step {step} of {total}: {made.At(step)}, expected {rate}");
    }

    /// <summary>What they refuse is refused here; settings that have no effect are, too, where they swallow them.</summary>
    private static void Refused(JsonElement attempt)
    {
        var isOfTheCall = attempt.GetProperty("num_warmup_steps").ValueKind == JsonValueKind.Null || attempt.GetProperty("num_training_steps").ValueKind == JsonValueKind.Null;
        if (isOfTheCall) return;   // a run always knows its steps
        var exception = Record.Exception(() =>
        {
            var warmup = attempt.GetProperty("num_warmup_steps").GetInt32();
            var settings = Settings($"{Yaml(attempt)}\nlearning_rate: {Rate(attempt)}\n{(warmup > 0 ? $"warmup_steps: {warmup}" : "")}");
            if ((settings.LrSchedulerKwargs ?? new SchedulerSettings()).Problems(settings.LrSchedulerType, settings.LearningRate!.Value).Any()) throw new ConfigException([]);
            settings.ScheduleOf(attempt.GetProperty("num_training_steps").GetInt32());
        });
        Assert.True(exception is RequestException, $"{attempt} is accepted: {exception?.Message}");
    }

    private static string Rate(JsonElement schedule) => schedule.TryGetProperty("learning_rate", out var rate) ? rate.GetRawText() : "5e-4";

    // ---- clipping

    /// <summary>By the 2-norm, the one that is used. A bound of 0 is off here, sums are float32, and steps that are not finite are not taken.</summary>
    private static void Clipped(string folder, JsonElement @case)
    {
        using var inputs = SafetensorsFile.Open(Path.Combine(folder, "inputs.safetensors"));
        using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        var compared = 0;
        foreach (var variant in Items(@case, "variants"))
        {
            var (name, set) = (variant.GetProperty("variant").GetString()!, variant.GetProperty("gradients").GetString()!);
            if (!variant.TryGetProperty("norm_type", out var norm) || norm.GetString() != "2" || variant.GetProperty("max_norm").GetDouble() == 0) continue;
            using var scope = NewDisposeScope();
            var gradients = inputs.Tensors.Keys.Where(key => key.StartsWith($"{set}.", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
            if (gradients.Exists(key => inputs.Alias(key).dtype != ScalarType.Float32 || !inputs.Alias(key).isfinite().all().ToBoolean())) continue;
            var tensors = gradients.Select(key => new ModelTensor(key, zeros_like(inputs.Alias(key)), trainable: true)).ToList();
            using var optimizer = new AdamW([new FlatParameters(tensors, 0)], 0.9, 0.999, 1e-8);
            foreach (var tensor in tensors) tensor.Gradient!.copy_(inputs.Alias(tensor.Names[0].Name));
            var total = optimizer.Clip(variant.GetProperty("max_norm").GetDouble()).ToDouble();
            var theirs = variant.GetProperty("total_norm");
            if (theirs.ValueKind == JsonValueKind.String) Assert.Equal(double.PositiveInfinity, total);
            else Close.Assert(theirs.GetDouble(), total, $"{name}: norm", 1e-6);
            foreach (var tensor in tensors)
                Close.Assert(expected.Alias($"{name}/{tensor.Names[0].Name[(set.Length + 1)..]}"), tensor.Gradient!, $"{name}: {tensor.Names[0].Name}", 1e-6);
            foreach (var tensor in tensors) tensor.Dispose();
            compared++;
        }
        Assert.InRange(compared, 1, int.MaxValue);
    }

    // ---- optimizers

    /// <summary>The inputs of the cases below it: as many and as large as it says.</summary>
    private static void SharedInputs(string folder, JsonElement @case)
    {
        using var inputs = SafetensorsFile.Open(Path.Combine(folder, "inputs.safetensors"));
        var steps = @case.GetProperty("steps").GetInt64();
        foreach (var size in @case.GetProperty("sizes").EnumerateObject())
        {
            long[] shape = [.. size.Value.EnumerateArray().Select(x => x.GetInt64())];
            Assert.Equal(shape, inputs.Alias($"param.{size.Name}").shape);
            Assert.Equal([steps, .. shape], inputs.Alias($"grad.{size.Name}").shape);
        }
    }

    private static void Optimized(string folder, JsonElement @case)
    {
        var others = Items(@case, "variants").Select(variant => variant.GetProperty("optimizer").GetString()!.Split(' ')[0]).Where(name => name != "torch.optim.AdamW").ToList();
        if (others.Count > 0) Skip($"optim: {others[0].Split('.')[^1].ToLowerInvariant()}");
        AdamW(folder, @case);
    }

    /// <summary>
    /// Of the shared parameters those that have a gradient in every step: here all have. 16-bit parameters have float32 masters, which are
    /// what is compared, and from which they are rounded.
    /// </summary>
    private static void AdamW(string folder, JsonElement @case)
    {
        var source = Path.GetFullPath(Path.Combine(folder, @case.GetProperty("inputs").GetString()!));
        var shared = Golden.Read(Path.GetDirectoryName(source)!);
        using var inputs = SafetensorsFile.Open(source);
        using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        var recorded = @case.GetProperty("recorded_steps").EnumerateArray().Select(step => step.GetInt32()).ToList();
        var partial = shared.GetProperty("no_gradient_at_steps").EnumerateObject().Select(p => p.Name).ToHashSet();
        var compared = 0;
        foreach (var variant in Items(@case, "variants"))
        {
            var (name, given) = (variant.GetProperty("variant").GetString()!, variant.GetProperty("options"));
            double Option(string option, double otherwise) => given.TryGetProperty(option, out var value) ? value.GetDouble() : otherwise;
            if (given.TryGetProperty("amsgrad", out var amsgrad) && amsgrad.GetBoolean() || variant.TryGetProperty("groups", out _)) continue;   // no amsgrad; one rate for all
            var masters = expected.Tensors.Keys.Any(key => key.StartsWith($"{name}/master.", StringComparison.Ordinal));
            var type = masters ? ScalarType.BFloat16 : ScalarType.Float32;
            using var scope = NewDisposeScope();
            var names = (variant.TryGetProperty("parameters", out var listed)
                ? listed.EnumerateArray().Select(p => p.GetString()!)
                : shared.GetProperty("sizes").EnumerateObject().Select(size => size.Name)).Where(p => !partial.Contains(p)).ToList();
            var tensors = names.ToDictionary(p => p, p => new ModelTensor(p, inputs.Alias($"param.{p}").to(type, copy: true), trainable: true));
            double[] betas = given.TryGetProperty("betas", out var own) ? [.. own.EnumerateArray().Select(x => x.GetDouble())] : [0.9, 0.999];
            var group = new FlatParameters([.. tensors.Values], Option("weight_decay", 0.01));
            using var optimizer = new AdamW([group], betas[0], betas[1], Option("eps", 1e-8));
            for (var step = 1; step <= shared.GetProperty("steps").GetInt32(); step++)
            {
                foreach (var p in names)
                {
                    var factor = variant.TryGetProperty("gradient_factor", out var factors) && factors.TryGetProperty(p, out var f) ? (float)f.GetDouble() : 1;
                    var gradient = (inputs.Alias($"grad.{p}")[step - 1] * factor).to(type, copy: true);
                    if (masters) tensors[p].Gradient = gradient;
                    else tensors[p].Gradient!.copy_(gradient);
                }
                group.CollectGradients();
                var rate = Option("lr", 1e-3);
                optimizer.Step(variant.TryGetProperty("lr_factor_per_step", out var rates) ? rate * rates[step - 1].GetDouble() : rate);
                var at = recorded.IndexOf(step);
                if (at < 0) continue;
                var flat = 0L;
                foreach (var p in names)
                {
                    var value = tensors[p].Value.detach();
                    var master = group.Values.narrow(0, flat, value.numel()).view(value.shape);
                    flat += value.numel();
                    Close.Assert(expected.Alias($"{name}/{(masters ? "master" : "param")}.{p}")[at], master, $"{name}: {p} after step {step}", 2e-6);
                    Assert.True(value.eq(master.to(type)).all().ToBoolean(), $"{name}: {p} is not its master, rounded");
                }
            }
            foreach (var tensor in tensors.Values) tensor.Dispose();
            compared++;
        }
        Assert.InRange(compared, 1, int.MaxValue);
    }

    /// <summary>Masters go into 16-bit tensors to the nearest, ties to even; the bits of a NaN are free.</summary>
    private static void Rounded(string folder, JsonElement @case)
    {
        using var scope = NewDisposeScope();
        var rows = Items(@case, "rows");
        var tensor = new ModelTensor("weight", zeros(rows.Count, ScalarType.BFloat16), trainable: true);
        using var group = new FlatParameters([tensor], 0);
        group.Values.narrow(0, 0, rows.Count).copy_(torch.tensor(rows.Select(row => BitConverter.UInt32BitsToSingle(Bits(row, "float32_bits"))).ToArray()));
        group.Publish();
        var found = tensor.Value.detach().to(ScalarType.Float32).data<float>().ToArray();
        foreach (var (row, value) in rows.Zip(found))
        {
            var expected = BitConverter.UInt32BitsToSingle(Bits(row, "bfloat16_bits") << 16);
            Assert.True(float.IsNaN(expected) ? float.IsNaN(value) : BitConverter.SingleToUInt32Bits(expected) == BitConverter.SingleToUInt32Bits(value), $"{row}: {value}");
        }
        tensor.Dispose();

        static uint Bits(JsonElement row, string name) => Convert.ToUInt32(row.GetProperty(name).GetString()!, 16);
    }

    // ---- groups and names

    /// <summary>Models of the families that are built, in the shape that their parameters' names tell, and LoRA on them.</summary>
    private static void Groups(string folder, JsonElement @case)
    {
        var compared = 0;
        var models = @case.GetProperty("models");
        foreach (var model in models.EnumerateObject())
        {
            string[] Part(JsonElement of, string part) => [.. of.GetProperty(part).EnumerateArray().Select(name => name.GetString()!)];
            if (model.Value.TryGetProperty("base", out _)) continue;
            var (decay, plain) = (Part(model.Value, "decay"), Part(model.Value, "no_decay"));
            string[] names = [.. decay, .. plain];
            using var made = TinyModels.OfNames(model.Value.GetProperty("class").GetString()!, names);
            if (made is null) continue;
            var groups = FlatParameters.Group(made.Tensors, weightDecay: 0.1);
            Assert.Equal(decay.Order(StringComparer.Ordinal), Of(group => group.WeightDecay > 0));
            Assert.Equal(plain.Order(StringComparer.Ordinal), Of(group => group.WeightDecay == 0));
            foreach (var group in groups) group.Dispose();
            compared++;

            IEnumerable<string> Of(Func<FlatParameters, bool> which) =>
                groups.Where(which).SelectMany(group => group.Tensors).SelectMany(tensor => tensor.Names).Select(name => name.Name).Order(StringComparer.Ordinal);
        }
        if (compared == 0) Golden.Skip(Area, $"models of the families {string.Join(", ", models.EnumerateObject().Select(model => model.Value.GetProperty("class").GetString()).Distinct())}");
    }

    /// <summary>A name that is taken makes the optimizer that transformers makes, with the same settings; all others are refused.</summary>
    private static void Names(string folder, JsonElement @case)
    {
        var taken = 0;
        foreach (var optimizer in @case.GetProperty("optimizers").EnumerateObject())
        {
            if (Refusals.OfTraining($"optim: {optimizer.Name}") is not null) continue;
            Assert.Equal("torch.optim.adamw.AdamW", optimizer.Value.GetProperty("class").GetString());
            taken++;
        }
        Assert.InRange(taken, 1, int.MaxValue);
    }
}
