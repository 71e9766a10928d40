using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Training;

namespace LlmTune.Benchmarks;

/// <summary>
/// LoRA training steps on a model folder, an adapter folder and a file of tokens (a JSON line a row: input_ids, labels with −100
/// where nothing is trained). Every step takes all rows: forward, loss, backward, clipping, AdamW.
/// </summary>
internal static class StepBenchmark
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Required = true };
        var adapter = new Option<string>("--adapter") { Required = true };
        var tokens = new Option<string>("--tokens") { Required = true };
        var steps = new Option<int>("--steps") { DefaultValueFactory = _ => 3 };
        var repeat = new Option<int>("--repeat") { DefaultValueFactory = _ => 1 };
        var rows = new Option<int>("--rows") { DefaultValueFactory = _ => int.MaxValue, Description = "rows of a micro-batch" };
        var recomputed = new Option<int>("--recomputed") { DefaultValueFactory = _ => 0, Description = "blocks that are recomputed" };
        var device = new Option<string>("--device") { DefaultValueFactory = _ => "cpu" };
        var dtype = new Option<string>("--dtype") { DefaultValueFactory = _ => "float32" };
        var threads = new Option<int>("--threads") { DefaultValueFactory = _ => 2 };
        var rate = new Option<double>("--lr") { DefaultValueFactory = _ => 2e-4 };
        var command = new Command("step", "LoRA training steps") { model, adapter, tokens, steps, repeat, rows, recomputed, device, dtype, threads, rate };
        command.SetAction(args =>
        {
            Libtorch.Load();
            set_num_threads(args.GetValue(threads));
            var place = torch.device(args.GetValue(device)!);
            var type = args.GetValue(dtype) == "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32;
            using var decoder = ModelFolder.Open(args.GetValue(model)!).Load(place, type);
            using var set = AdapterFolder.Load(args.GetValue(adapter)!, decoder.Parts, place, trainable: true);
            set.Activate(decoder.Parts);
            var documents = Enumerable.Repeat(Documents(args.GetValue(tokens)!), args.GetValue(repeat)).SelectMany(d => d).ToArray();
            var batches = documents.Chunk(Math.Min(args.GetValue(rows), documents.Length)).Select(TokenBatch.Of).ToArray();
            var optimizer = new AdamW(FlatParameters.Group(set.Tensors.Select(t => t.Tensor), 0), 0.9, 0.999, 1e-8);
            var trainer = new Trainer(decoder, optimizer, 1, args.GetValue(recomputed), seed: 0);
            Console.WriteLine(Measure(trainer, batches, args.GetValue(steps), args.GetValue(rate), place).ToJsonString());
        });
        return command;
    }

    private static JsonObject Measure(Trainer trainer, TokenBatch[] batches, int steps, double rate, Device device)
    {
        var (before, results, seconds, cpu) = (Environment.WorkingSet, new List<StepResult>(), new List<double>(), new List<double>());
        var process = Process.GetCurrentProcess();
        for (var step = 0; step < steps; step++)
        {
            var (clock, start) = (Stopwatch.StartNew(), process.TotalProcessorTime);
            results.Add(trainer.Step(batches, rate));
            if (device.type == DeviceType.CUDA) cuda.synchronize();
            seconds.Add(clock.Elapsed.TotalSeconds);
            process.Refresh();
            cpu.Add((process.TotalProcessorTime - start).TotalSeconds);
        }
        process.Refresh();
        var warm = seconds.Count > 1 ? 1 : 0;
        return new JsonObject
        {
            ["tokens"] = batches.Sum(b => b.Tokens),
            ["supervised_tokens"] = batches.Sum(b => b.Supervised),
            ["seconds_per_step"] = Median(seconds[warm..]),
            ["cpu_seconds_per_step"] = Median(cpu[warm..]),
            ["tokens_per_second"] = batches.Sum(b => b.Tokens) / Median(seconds[warm..]),
            ["peak_bytes_above_weights"] = process.PeakWorkingSet64 - before,
            ["loss"] = new JsonArray([.. results.Select(r => (JsonNode)r.Loss)]),
            ["grad_norm"] = new JsonArray([.. results.Select(r => (JsonNode)r.GradientNorm)]),
        };
    }

    private static IEnumerable<Document> Documents(string file) => JsonLines.Read(file).Select((row, n) => new Document(
        [.. row.Value.GetProperty("input_ids").EnumerateArray().Select(x => x.GetInt32())],
        [.. row.Value.GetProperty("labels").EnumerateArray().Select(x => x.GetInt32() != -100)],
        Key: (ulong)n));

    private static double Median(List<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
