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

    [Theory]
    [MemberData(nameof(Cases))]
    public void Steps_equal_the_libraries(string folder)
    {
        var @case = Golden.Read(folder);
        switch (@case.GetProperty("case").GetString())
        {
            case "schedules":
                foreach (var schedule in @case.GetProperty("schedules").EnumerateArray()) Rates(schedule);
                foreach (var attempt in @case.GetProperty("refused_or_odd").EnumerateArray()) Refused(attempt);
                break;
            case "warmup-steps":
                Assert.All(@case.GetProperty("rows").EnumerateArray(), row => Assert.Equal(
                    row.GetProperty("steps").GetInt32(),
                    Settings($"warmup_steps: {row.GetProperty("warmup_steps").GetRawText()}").Warmup(row.GetProperty("num_training_steps").GetInt32())));
                break;
            case "clip":
                Clipped(folder, @case);
                break;
            case "optimizers/adamw":
                AdamW(folder, @case);
                break;
            case var other:
                Golden.Skip(Area, other!);
                break;
        }
        Golden.Ran(Area);
    }

    private static TrainingConfig Settings(string yaml) => ConfigFile.Parse<TrainingConfig>($"output_dir: out\n{yaml}\n", "options");

    private static string Yaml(JsonElement schedule) =>
        $"lr_scheduler_type: {schedule.GetProperty("name").GetString()}\nlr_scheduler_kwargs: {schedule.GetProperty("kwargs").GetRawText()}";

    private static void Rates(JsonElement schedule)
    {
        var (warmup, total) = (schedule.GetProperty("num_warmup_steps").GetInt32(), schedule.GetProperty("num_training_steps").GetInt32());
        var settings = Settings($"{Yaml(schedule)}\nlearning_rate: {schedule.GetProperty("learning_rate").GetRawText()}");
        var made = settings.ScheduleOf(total) with { Warmup = warmup };
        if (!schedule.TryGetProperty("lr", out var rates)) return;   // theirs divides by zero there
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
            var settings = Settings($"{Yaml(attempt)}\nlearning_rate: 5e-4");
            if (settings.LrSchedulerKwargs!.Problems(settings.LrSchedulerType, settings.LearningRate!.Value).Any()) throw new ConfigException([]);
        });
        Assert.IsType<ConfigException>(exception);
    }

    private static void Clipped(string folder, JsonElement @case)
    {
        using var inputs = SafetensorsFile.Open(Path.Combine(folder, "inputs.safetensors"));
        using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        var compared = 0;
        foreach (var variant in @case.GetProperty("variants").EnumerateArray())
        {
            var (name, set) = (variant.GetProperty("variant").GetString()!, variant.GetProperty("gradients").GetString()!);
            if (!variant.TryGetProperty("norm_type", out var norm) || norm.GetString() != "2") continue;   // only the 2-norm is used
            if (variant.GetProperty("max_norm").GetDouble() == 0 || set is "bf16" or "mixed" or "nan" or "inf") continue;   // 0 is off here; sums are float32; such steps are not taken
            using var scope = NewDisposeScope();
            var gradients = inputs.Tensors.Keys.Where(key => key.StartsWith($"{set}.", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
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

    /// <summary>Of the shared parameters those that have a gradient in every step: here all have.</summary>
    private static void AdamW(string folder, JsonElement @case)
    {
        var shared = Golden.Read(Path.GetDirectoryName(folder)!);
        using var inputs = SafetensorsFile.Open(Path.Combine(folder, @case.GetProperty("inputs").GetString()!));
        using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        var recorded = @case.GetProperty("recorded_steps").EnumerateArray().Select(step => step.GetInt32()).ToList();
        var partial = shared.GetProperty("no_gradient_at_steps").EnumerateObject().Select(p => p.Name).ToHashSet();
        var compared = 0;
        foreach (var variant in @case.GetProperty("variants").EnumerateArray())
        {
            var (name, options) = (variant.GetProperty("variant").GetString()!, variant.GetProperty("defaults"));
            if (options.GetProperty("amsgrad").GetBoolean() || variant.TryGetProperty("groups", out _)) continue;   // no amsgrad; one rate for all
            using var scope = NewDisposeScope();
            var names = variant.GetProperty("parameters").EnumerateArray().Select(p => p.GetString()!).Where(p => !partial.Contains(p)).ToList();
            var tensors = names.ToDictionary(p => p, p => new ModelTensor(p, inputs.Alias($"param.{p}").clone(), trainable: true));
            var betas = options.GetProperty("betas");
            var group = new FlatParameters([.. tensors.Values], options.GetProperty("weight_decay").GetDouble());
            using var optimizer = new AdamW([group], betas[0].GetDouble(), betas[1].GetDouble(), options.GetProperty("eps").GetDouble());
            for (var step = 1; step <= shared.GetProperty("steps").GetInt32(); step++)
            {
                foreach (var p in names)
                {
                    var factor = variant.TryGetProperty("gradient_factor", out var factors) && factors.TryGetProperty(p, out var f) ? (float)f.GetDouble() : 1;
                    tensors[p].Gradient!.copy_(inputs.Alias($"grad.{p}")[step - 1] * factor);
                }
                var rate = options.GetProperty("lr").GetDouble();
                optimizer.Step(variant.TryGetProperty("lr_factor_per_step", out var rates) ? rate * rates[step - 1].GetDouble() : rate);
                var at = recorded.IndexOf(step);
                if (at < 0) continue;
                foreach (var p in names) Close.Assert(expected.Alias($"{name}/param.{p}")[at], tensors[p].Value.detach(), $"{name}: {p} after step {step}", 2e-6);
            }
            foreach (var tensor in tensors.Values) tensor.Dispose();
            compared++;
        }
        Assert.InRange(compared, 1, int.MaxValue);
    }
}
