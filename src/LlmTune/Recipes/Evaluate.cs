using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Config;
using LlmTune.Evaluation;
using LlmTune.Io;
using Serilog;
using Serilog.Core;

namespace LlmTune.Recipes;

/// <summary>What is evaluated, and on what.</summary>
public sealed record EvaluateRequest
{
    /// <summary>Runs, adapters, models: side by side.</summary>
    public required IReadOnlyList<ModelSource> Targets { get; init; }

    /// <summary>Files of rows; none: what the run among the targets held out.</summary>
    public IReadOnlyList<string> Data { get; init; } = [];

    /// <summary>Format of the rows; null: as the run among the targets reads its own, else found from them.</summary>
    public string? Format { get; init; }

    /// <summary>Which column plays which part; null: as in the run, else by the format.</summary>
    public ValueDictionary? Columns { get; init; }

    /// <summary>The prompt from several columns; null: as in the run, else the prompt's column.</summary>
    public string? PromptTemplate { get; init; }

    /// <summary>The template of conversations, as model.chat_template of a run file names it; null: that of each target.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>At most so many rows of each file.</summary>
    public int? Limit { get; init; }

    /// <summary>Longer rows are cut; null: what the model knows.</summary>
    public int? MaxLength { get; init; }

    /// <summary>Rows at once; changes no result.</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary>Rows that answers are generated for, of those with a reference; 0: none.</summary>
    public int Answers { get; init; } = 100;

    /// <summary>Bound for an answer that does not end.</summary>
    public int MaxNewTokens { get; init; } = 256;

    /// <summary>Texts that end an answer as an end token does.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];
}

/// <summary>One target's results.</summary>
public sealed record EvaluationResult(string Name, LossStatistics All, IReadOnlyList<(string Label, LossStatistics Loss)> Sources, IReadOnlyList<Answer> Answers)
{
    /// <summary>Share of answers that equal their reference; null where no row has one.</summary>
    public double? ExactMatch => Answers.Count == 0 ? null : (double)Answers.Count(answer => answer.IsExact) / Answers.Count;
}

/// <summary>Held-out loss and exact match of several models on the same rows.</summary>
public static class Evaluate
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <param name="onProgress">What is done, how far, of how much.</param>
    public static IReadOnlyList<EvaluationResult> Run(
        EvaluateRequest request, Device device, ScalarType type, ILogger log, Action<string, long, long>? onProgress = null, CancellationToken cancel = default)
    {
        var rows = EvaluationRows.Of(request);
        return [.. request.Targets.Select((target, i) => One(request, rows, target, device, type, i == 0 ? log : Logger.None, onProgress, cancel))];
    }

    /// <summary>Everything, as JSON.</summary>
    public static void Write(string file, EvaluateRequest request, IReadOnlyList<EvaluationResult> results)
    {
        static JsonObject Loss(LossStatistics loss) => new()
        {
            ["loss"] = Number(loss.Loss),
            ["loss_standard_error"] = Number(loss.StandardError),
            ["perplexity"] = Number(loss.Perplexity),
            ["perplexity_standard_error"] = Number(loss.PerplexityStandardError),
            ["tokens"] = loss.Tokens,
            ["documents"] = loss.Documents,
        };
        var json = new JsonObject
        {
            ["held_out_of"] = request.Data.Count == 0 ? request.Targets.First(target => target.IsRun).Name : null,
            ["data"] = new JsonArray([.. request.Data.Select(path => (JsonNode)path)]),
            ["models"] = new JsonArray([.. results.Select(result => (JsonNode)new JsonObject
            {
                ["name"] = result.Name,
                ["all"] = Loss(result.All),
                ["sources"] = new JsonObject(result.Sources.Select(source => KeyValuePair.Create(source.Label, (JsonNode?)Loss(source.Loss)))),
                ["exact_match"] = result.ExactMatch,
                ["answers"] = new JsonArray([.. result.Answers.Select(answer => (JsonNode)new JsonObject
                {
                    ["prompt"] = answer.Prompt,
                    ["reference"] = answer.Reference,
                    ["generated"] = answer.Generated,
                    ["exact"] = answer.IsExact,
                })]),
            })]),
        };
        AtomicFile.WriteText(file, json.ToJsonString(Indented) + "\n");
    }

    private static EvaluationResult One(
        EvaluateRequest request, EvaluationRows rows, ModelSource target, Device device, ScalarType type, ILogger log, Action<string, long, long>? onProgress, CancellationToken cancel)
    {
        using var loaded = target.Load(device, type, log);
        using var corpus = rows.Read(loaded, log, cancel);
        foreach (var source in corpus.Report.Sources.Where(source => source.Truncated.Count > 0))
            log.Warning("{Source}: {Count:N0} rows were cut to {Length:N0} tokens", source.Label, source.Truncated.Count, corpus.MaxLength);

        foreach (var finding in RunData.LeftOut(corpus)) log.Warning("{Check}: {Problem}", finding.Check, finding.Problem);

        var (documents, batches, count) = rows.Of(corpus);
        var (all, bySource) = HeldOut.Loss(loaded.Model, Progress($"loss of {target.Name}", batches, count, onProgress), cancel: cancel);

        var asked = documents.Select(d => ExactMatch.Split(corpus[d])).OfType<(int[], int[])>().Take(request.Answers).ToArray();
        var done = 0;
        var answers = ExactMatch.Generate(
            loaded.Model, asked, request.BatchSize, request.MaxNewTokens, loaded.EndTokens, ids => loaded.Tokenizer.Decode(ids, skipSpecialTokens: true), request.Stops,
            () => onProgress?.Invoke($"answers of {target.Name}", Math.Min(asked.Length, done += request.BatchSize), asked.Length), cancel);
        return new EvaluationResult(
            target.Name, all, [.. bySource.OrderBy(s => s.Key).Select(s => (corpus.Labels[s.Key], s.Value))], answers);
    }

    private static IEnumerable<T> Progress<T>(string activity, IEnumerable<T> items, int total, Action<string, long, long>? onProgress)
    {
        var done = 0;
        foreach (var item in items)
        {
            yield return item;
            onProgress?.Invoke(activity, ++done, total);
        }
    }

    private static JsonValue? Number(double value) => double.IsFinite(value) ? JsonValue.Create(value) : null;
}
