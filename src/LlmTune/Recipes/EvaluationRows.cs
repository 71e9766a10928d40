using LlmTune.Data;
using LlmTune.Tokenization;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>
/// The rows that an evaluation measures: files, read as the run among the targets reads its own; or, where no file is named, what that run
/// held out, exactly as it was measured in training.
/// </summary>
internal sealed class EvaluationRows
{
    private readonly EvaluateRequest _request;
    private readonly ModelSource? _run;
    private readonly RunConfig? _config;
    private readonly Lazy<string?> _template;

    private EvaluationRows(EvaluateRequest request, ModelSource? run, RunConfig? config)
    {
        (_request, _run, _config) = (request, run, config);
        _template = new Lazy<string?>(() => run is null ? null : Saved(HfTokenizer.Load(run.Tokenizer)));

        static string? Saved(HfTokenizer tokenizer) => ChatTemplate.For(tokenizer, tokenizer.Folder)?.Source;
    }

    /// <exception cref="RequestException">No file is named, and there is no run whose rows could be taken.</exception>
    public static EvaluationRows Of(EvaluateRequest request)
    {
        var runs = request.Targets.Where(target => target.IsRun).Select(target => (Source: target, Config: RunFolder.Open(target.Name).ReadConfig())).ToList();
        var first = runs.FirstOrDefault();
        if (request.Data.Count > 0) return new EvaluationRows(request, first.Source, first.Config);

        if (runs.Count == 0)
            throw new RequestException($"{string.Join(", ", request.Targets.Select(target => target.Name))}: no run whose held-out rows could be measured; name a file of rows with --data");
        if (runs.Find(run => run.Config.Data.Eval is null).Source is { } without)
            throw new RequestException($"{without.Name} held no rows out (its run.yaml has no data.eval); name a file of rows with --data");
        if (runs.Find(run => !SameRows(run.Config, first.Config)).Source is { } other)
            throw new RequestException($"{first.Source.Name} and {other.Name} held out different rows; name a file of rows with --data");
        return new EvaluationRows(request, first.Source, first.Config);

        static bool SameRows(RunConfig a, RunConfig b) => a.Data.Sources == b.Data.Sources && a.Data.Eval == b.Data.Eval;
    }

    /// <summary>The rows in a target's tokens.</summary>
    public Corpus Read(LoadedModel target, ILogger log, CancellationToken cancel)
    {
        var codec = Codec.Of(target.Tokenizer, TemplateOf(target), target.Vocabulary);
        if (_request.Data.Count == 0)
        {
            var settings = RunData.Settings(_config!, target.Folder, codec, onProgress: null) with { CacheFolder = RunData.CacheFolder() };
            var corpus = Corpus.Build(_config!.Data, settings, log, cancel);
            SayChanges(corpus, log);
            return corpus;
        }
        var known = target.Folder.Spec.MaxPositions;
        var data = (_config?.Data ?? new DataConfig { Sources = [new SourceConfig { Path = _request.Data[0] }] }) with
        {
            Sources = [.. _request.Data.Select(file => Source(file, log))],
            Eval = null,
            MaxLength = Math.Min(_request.MaxLength ?? int.MaxValue, known),
            Packing = PackingMode.None,
            Mixing = MixingMode.Once,
            WeightUnit = WeightUnit.Examples,
            Deduplicate = false,
            GroupByLength = false,
            Shuffle = false,
            Truncation = TruncationMode.Truncate,
        };
        return Corpus.Build(data, new CorpusSettings { Codec = codec, ModelLength = known }, log, cancel);
    }

    /// <summary>The documents of a corpus that are measured, and the batches that they are measured in.</summary>
    public (IReadOnlyList<int> Documents, IEnumerable<TokenBatch> Batches, int Count) Of(Corpus corpus)
    {
        if (_request.Data.Count == 0)
        {
            var plan = corpus.EvalPlan();
            var rows = Math.Min(_request.BatchSize, _config!.Training.PerDeviceEvalBatchSize);
            return (corpus.Eval, RowBatches.All(corpus, plan, rows), (plan.Rows + rows - 1) / rows);
        }
        var documents = corpus.Training.SelectMany(list => list).Order().ToArray();
        var batches = documents.Chunk(_request.BatchSize).Select(chunk => TokenBatch.Of(chunk.Select(document => corpus[document])));
        return (documents, batches, (documents.Length + _request.BatchSize - 1) / _request.BatchSize);
    }

    /// <summary>Files that are not what they were when the run read them: their losses are not those of its training.</summary>
    private void SayChanges(Corpus corpus, ILogger log)
    {
        if (RunFolder.Open(_run!.Name).Data is not { } then) return;
        var changed = corpus.Report.Sources.Where(now => !then.Contains((now.Label, now.Rows, now.Eval))).Select(now => now.Label).ToList();
        if (changed.Count > 0)
            log.Warning("not the rows that the run held out: {Sources} changed since it was trained", string.Join(", ", changed));
    }

    /// <summary>What the request says of a file counts before what the run says of its own.</summary>
    private SourceConfig Source(string file, ILogger log)
    {
        var asked = new RowShape(_request.Format, _request.Columns, _request.PromptTemplate);
        var shape = asked != RowShape.Detected || _config is null ? asked : RowShape.For(file, _config.Data);
        if (asked == RowShape.Detected && shape != RowShape.Detected) log.Information("{File} is read as the run reads its data: {Shape}", file, shape);
        return new SourceConfig { Path = file, Format = shape.Format, Columns = shape.Columns, PromptTemplate = shape.PromptTemplate, Limit = _request.Limit };
    }

    /// <summary>A target's own template; the run's for the model that it began with, and for what has none.</summary>
    private ChatTemplate? TemplateOf(LoadedModel target)
    {
        if (_request.ChatTemplate is { } asked) return ChatTemplate.For(target.Tokenizer, target.Tokenizer.Folder, asked, target.Source.Variables);
        return (IsOrigin(target.Source) || target.Template is null) && _template.Value is { } saved
            ? ChatTemplate.For(target.Tokenizer, target.Tokenizer.Folder, saved, target.Source.Variables)
            : target.Template;
    }

    /// <summary>Whether it is the model that the run began with.</summary>
    private bool IsOrigin(ModelSource target)
    {
        static string Full(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        return _config is not null && target.Adapter is null && !target.IsRun && Full(target.Base) == Full(_config.Model.Path);
    }
}
