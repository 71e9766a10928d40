using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Data.Sources;
using LlmTune.Tokenization;
using Serilog.Core;

namespace LlmTune.Benchmarks;

/// <summary>
/// A data source stage by stage on one thread (read, format, render, turns and tokens, and nothing but tokenizing the rendered text), then all of it as a run does it, on
/// as many threads as asked, and the plan of an epoch. Rates are of the source's bytes and rows; the best of several passes.
/// </summary>
internal static class DataBenchmark
{
    public static Command Create()
    {
        var data = new Option<string>("--data") { Required = true };
        var tokenizer = new Option<string>("--tokenizer") { Required = true };
        var template = new Option<string?>("--template") { Description = "a Jinja file; ChatML by default" };
        var format = new Option<string?>("--format");
        var passes = new Option<int>("--passes") { DefaultValueFactory = _ => 5 };
        var repeat = new Option<int>("--repeat") { DefaultValueFactory = _ => 1, Description = "takes the rows so many times, for small files" };
        var threads = new Option<int>("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount };
        var length = new Option<int>("--max-length") { DefaultValueFactory = _ => 2048 };
        var command = new Command("data", "a data source, stage by stage") { data, tokenizer, template, format, passes, repeat, threads, length };
        command.SetAction(args =>
        {
            var vocabulary = HfTokenizer.Load(args.GetValue(tokenizer)!);
            var chat = ChatTemplate.For(vocabulary, vocabulary.Folder, args.GetValue(template) ?? TemplateSources.ChatMl)!;
            var config = new DataConfig
            {
                Sources = [.. Enumerable.Repeat(new SourceConfig { Path = args.GetValue(data)!, Format = args.GetValue(format) }, args.GetValue(repeat))],
                NumProc = args.GetValue(threads),
                MaxLength = args.GetValue(length),
                OnError = OnError.Skip,
            };
            Console.WriteLine(Measure(config, vocabulary, chat, args.GetValue(passes)).ToJsonString());
        });
        return command;
    }

    private static JsonObject Measure(DataConfig config, HfTokenizer tokenizer, ChatTemplate template, int passes)
    {
        var codec = Codec.Of(tokenizer, template);
        List<Row> rows = [];
        List<Example> examples = [];
        List<string> texts = [];
        var bytes = 0L;
        var result = new JsonObject();
        Stage("read", passes, () =>
        {
            (rows, bytes) = ([], 0);
            foreach (var source in config.Sources)
            {
                using var opened = Source.Open(source, new RowSettings());
                rows.AddRange(opened.Rows());
                bytes += opened.Files.Sum(f => new FileInfo(f).Length);
            }
        });
        Stage("hash", passes, () =>
        {
            foreach (var source in config.Sources) DataCache.OfFile(source.Path!);
        });
        using var first = Source.Open(config.Sources[0], new RowSettings());
        rows.RemoveAll(row => row.Problem is not null);
        Stage("format", passes, () => examples = rows.ConvertAll(row => first.Format.Read(new Fields(row.Value, first.Format, first.Settings))));
        var conversations = examples.OfType<Example.Chat>().Select(chat => chat.Conversation).ToList();
        if (conversations.Count > 0)
        {
            Stage("render", passes, () => texts = conversations.ConvertAll(chat => template.Render(chat, false).Text));
            Stage("tokenize only", passes, () => texts.ForEach(text => tokenizer.Encode(text)));
        }
        Stage("render and tokenize", passes, () => examples.ForEach(example => Rendering.Render(example, codec, MaskSettings.Default)));
        var settings = new CorpusSettings { Codec = codec };
        Stage("all", passes, () => Corpus.Build(config, settings, Logger.None).Dispose());
        using var corpus = Corpus.Build(config, settings, Logger.None);
        Stage("plan", passes, () => corpus.Plan(0));
        result["tokens"] = corpus.Report.Sources.Sum(s => s.Tokens);
        result["peak_mb"] = Process.GetCurrentProcess().PeakWorkingSet64 >> 20;
        return result;

        void Stage(string name, int times, Action act)
        {
            var process = Process.GetCurrentProcess();
            var (best, cpu) = (double.MaxValue, double.MaxValue);
            for (var pass = 0; pass < times; pass++)
            {
                process.Refresh();
                var (clock, before) = (Stopwatch.StartNew(), process.TotalProcessorTime);
                act();
                best = Math.Min(best, clock.Elapsed.TotalSeconds);
                process.Refresh();
                cpu = Math.Min(cpu, (process.TotalProcessorTime - before).TotalSeconds);
            }
            result[name] = new JsonObject
            {
                ["rows_per_second"] = Math.Round(rows.Count / best),
                ["mb_per_second"] = Math.Round(bytes / best / 1e6, 1),
                ["seconds"] = Math.Round(best, 4),
                ["cpu_seconds"] = Math.Round(cpu, 3),
            };
        }
    }
}
