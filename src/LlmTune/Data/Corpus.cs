using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using LlmTune.Data.Formats;
using LlmTune.Data.Sources;
using Serilog;

namespace LlmTune.Data;

/// <summary>What of a run the data depends on, beside its own settings.</summary>
public sealed record CorpusSettings
{
    public required Codec Codec { get; init; }

    /// <summary>The longest sequence that the model knows; null where it has no limit.</summary>
    public int? ModelLength { get; init; }

    /// <summary>What the run learns from; null takes anything, but one kind in a run.</summary>
    public Judgement? Takes { get; init; } = Judgement.None;

    /// <summary>Seed of the order (training.data_seed).</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Rows of an optimizer step, over all ranks.</summary>
    public int RowsPerStep { get; init; } = 1;

    /// <summary>Where tokenized sources are kept from run to run; null keeps them for this run only.</summary>
    public string? CacheFolder { get; init; }

    public IProgress<DataProgress>? Progress { get; init; }
}

/// <summary>
/// The documents of a run: every source read, rendered and tokenized, the held-out ones apart. Documents are numbered through; what
/// each epoch does with them is an <see cref="EpochPlan"/>.
/// </summary>
public sealed class Corpus : IDisposable
{
    private static readonly string[] RunningText = ["text", "lines", "paragraphs"];

    private readonly List<TokenStore> _stores = [];
    private readonly List<int> _starts = [0];

    /// <summary>Long texts whose end is held out: the document, and where its end begins. The ends are documents numbered behind all others.</summary>
    private readonly List<(int Document, int Start)> _ends = [];
    private readonly Dictionary<int, int> _cut = [];
    private readonly List<PlainPairs> _plainPairs = [];
    private readonly List<(int Source, string Column)> _doubledBraces = [];
    private readonly DataConfig _config;
    private readonly CorpusSettings _settings;
    private readonly string? _cache;
    private int _sequences = 1;
    private readonly Lazy<string> _temporary = new(() => Directory.CreateTempSubdirectory("llmtune-data-").FullName);

    private Corpus(DataConfig config, CorpusSettings settings)
    {
        _config = config;
        _settings = settings;
        MaxLength = Math.Min(config.MaxLength, settings.ModelLength ?? int.MaxValue);
        _cache = config.Cache ? settings.CacheFolder : null;
    }

    /// <summary>Most tokens of a sequence.</summary>
    public int MaxLength { get; }

    /// <summary>
    /// Tokens of a row. Answers to one prompt stand in one row, each behind the prompt, so that a row has room for as many sequences as the
    /// prompt with most answers has.
    /// </summary>
    public int RowLength => checked(MaxLength * _sequences);

    /// <summary>How the examples are judged.</summary>
    public Judgement Judgement { get; private set; }

    /// <summary>Documents of all sources.</summary>
    public int Count => _starts[^1];

    /// <summary>Documents to train on, a list for each source of the run file.</summary>
    public IReadOnlyList<int[]> Training { get; private set; } = [];

    /// <summary>Documents to evaluate on.</summary>
    public int[] Eval { get; private set; } = [];

    /// <summary>Name of each source, those of data.eval.sources last.</summary>
    public IReadOnlyList<string> Labels { get; private set; } = [];

    public DataReport Report { get; private set; } = new([]);

    /// <summary>Sources of plain text pairs for a model that has a chat template.</summary>
    public IReadOnlyList<PlainPairs> PlainPairs => _plainPairs;

    /// <summary>Columns whose name a source's prompt_template writes as text, because its braces are doubled.</summary>
    public IReadOnlyList<(int Source, string Column)> DoubledBraces => _doubledBraces;

    /// <summary>Changes with the documents to train on and with everything that lays them into rows, but for the seed.</summary>
    public string Fingerprint { get; private set; } = "";

    /// <summary>Reads, renders and tokenizes everything.</summary>
    /// <exception cref="RequestException">Something in the sources cannot be trained on, or nothing is left.</exception>
    public static Corpus Build(DataConfig config, CorpusSettings settings, ILogger log, CancellationToken cancel = default)
    {
        var corpus = new Corpus(config, settings);
        try
        {
            if (corpus.MaxLength < config.MaxLength)
                log.Information("Rows hold {Length:N0} tokens, all that the model knows; data.max_length is {Asked:N0}", corpus.MaxLength, config.MaxLength);
            corpus.AddAll([.. config.Sources, .. config.Eval?.Sources ?? []], log, cancel);
            corpus.Divide(log);
            return corpus;
        }
        catch
        {
            corpus.Dispose();
            throw;
        }
    }

    /// <summary>An example to imitate.</summary>
    public Document this[int document] => Read(new Slice(document, 0, Length(document)));

    public int Length(int document)
    {
        var (whole, start) = Part(document);
        return (start == 0 && _cut.TryGetValue(whole, out var end) ? end : Stored(whole).Length) - start;
    }

    /// <summary>How many tokens of a document are trained on.</summary>
    public int TrainedCount(int document) =>
        document >= Count || _cut.ContainsKey(document) ? Length(document) - 1 : Stored(document).Trained;   // running text is trained on as a whole

    /// <summary>How many judged answers a document has; 0 of an example to imitate.</summary>
    public int AnswerCount(int document) => Stored(Part(document).Document).Answers;

    /// <summary>Identity of what a document says.</summary>
    public ulong Content(int document) => Stored(Part(document).Document).Content;

    public int SourceOf(int document) => Locate(Part(document).Document).Store;

    /// <summary>Where a document comes from: <c>data/x.jsonl:17</c>.</summary>
    public string Place(int document)
    {
        var (store, index) = Locate(Part(document).Document);
        var (stored, header) = (_stores[store][index], _stores[store].Header);
        return new Row(default, header.Files[stored.File], stored.Line) { ByLine = header.ByLine }.Place;
    }

    /// <summary>Part of an example to imitate, as a document.</summary>
    public Document Read(Slice slice)
    {
        var (document, start) = Part(slice.Document);
        var (store, index) = Locate(document);
        if (_stores[store][index].Answers > 0) throw new InvalidOperationException("judged answers are several sequences");
        var (ids, trained) = (new int[slice.Length], new bool[slice.Length]);
        _stores[store].Read(index, start + slice.Start, ids, trained);
        return new Document(ids, trained, Key(store, index, slice), store) { Weights = _stores[store].ReadWeights(index, start + slice.Start, slice.Length) };
    }

    /// <summary>Whether any token of an example to imitate is trained on within a slice.</summary>
    private bool HasTarget(Slice slice)
    {
        var (document, start) = Part(slice.Document);
        var (store, index) = Locate(document);
        return _stores[store].AnyTrained(index, start + slice.Start, slice.Length);
    }

    /// <summary>A prompt with its judged answers.</summary>
    public Tokens Judged(int document)
    {
        var (store, index) = Locate(document);
        return _stores[store].Judged(index);
    }

    /// <summary>The sequences of a row's slice: part of an example to imitate, or a prompt with each of its judged answers.</summary>
    public IEnumerable<Document> Sequences(Slice slice)
    {
        if (Judgement == Judgement.None) return [Read(slice)];
        var (store, index) = Locate(slice.Document);
        return JudgedDocuments.Of(_stores[store].Judged(index), Key(store, index, slice), store);
    }

    /// <summary>The sequences of a whole document.</summary>
    public IEnumerable<Document> Sequences(int document) => Sequences(new Slice(document, 0, Length(document)));

    private ulong Key(int store, int index, Slice slice) => SplitMix64.Hash(_stores[store][index].Content, (ulong)slice.Document, (ulong)slice.Start);

    /// <summary>The rows of an epoch of training, from 0.</summary>
    public EpochPlan Plan(int epoch)
    {
        var seed = (ulong)_settings.Seed;
        var sources = Training.Select((documents, s) => new MixtureSource(documents, Weight(s), _config.Sources[s].MaxRepeats)).ToList();
        var order = Mixture.Draw(sources, _config.Mixing, _config.Shuffle, seed, epoch);
        return EpochPlan.Of(order, Length, Settings with { Shuffle = _config.Shuffle }, seed, epoch, HasTarget);
    }

    /// <summary>The rows of the held-out documents, in the order of the files.</summary>
    public EpochPlan EvalPlan() => EpochPlan.Of(Eval, Length, Settings with { Shuffle = false }, (ulong)_settings.Seed, 0, HasTarget);

    private PlanSettings Settings => new()
    {
        MaxLength = RowLength,
        Packing = _config.Packing,
        RowsPerStep = _settings.RowsPerStep,
        GroupByLength = _config.GroupByLength,
    };

    private double Weight(int source)
    {
        var weight = _config.Sources[source].Weight;
        if (_config.WeightUnit == WeightUnit.Examples || Training[source].Length == 0) return weight;
        return Mixture.PerDocument(weight, Training[source].Average(d => (double)Length(d)));
    }

    /// <summary>Looks at all sources before any of them is read.</summary>
    private void AddAll(IReadOnlyList<SourceConfig> configs, ILogger log, CancellationToken cancel)
    {
        var settings = new RowSettings
        {
            TrainedRoles = _config.RolesToTrain,
            TrainOnPrompt = _config.TrainOnPrompt,
            HasTemplate = _settings.Codec.Render is not null,
        };
        List<Source> sources = [];
        try
        {
            foreach (var config in configs) sources.Add(Source.Open(config, settings));
            Judgement = Judgements.Of(sources, _settings.Takes, _config.Packing);
            foreach (var (source, config) in sources.Zip(configs)) TemplateUse.Require(source, config);
            foreach (var (source, config) in sources.Zip(configs)) Add(source, config, log, cancel);
        }
        finally
        {
            foreach (var source in sources) source.Dispose();
        }
    }

    private void Add(Source source, SourceConfig config, ILogger log, CancellationToken cancel)
    {
        var store = Tokens(source, log, cancel);
        _stores.Add(store);
        _starts.Add(checked(_starts[^1] + store.Count));
        if (source.Format.Judgement != Judgement.None) _sequences = Math.Max(_sequences, store.MostAnswers());
        var report = store.Header.Report;
        var found = config.Format is null && config.Name is null ? "found from the rows" : "as set";
        var unused = source.Unused();
        _doubledBraces.AddRange(unused.Where(column => source.Settings.Template?.Text.Contains($"{{{column}}}", StringComparison.Ordinal) is true).Select(column => (_stores.Count - 1, column)));
        if (TemplateUse.Instead(source, config) is { } instead) _plainPairs.Add(new PlainPairs(_stores.Count - 1, instead));
        log.Information("{Source}: {Rows} of the format {Format}, {How}{Unused}{Kept}", source.Label, Rows(report.Rows), report.Format, found,
            unused.Count == 0 ? "" : $"; columns not used: {string.Join(", ", unused)}", store.IsKept ? "; tokens of an earlier run" : "");
        foreach (var (tally, what) in ((Tally, string)[])
        [
            (report.Malformed, "left out for not fitting"), (report.NothingToTrain, "left out with nothing to train on"),
            (report.TooLong, "left out as too long"), (report.Truncated, "cut"),
        ])
        {
            if (tally.Count == 0) continue;
            log.Warning("{Source}: {Rows} {What}, the first:\n  {First}", source.Label, Rows(tally.Count), what, string.Join("\n  ", tally.First));
        }
        if (report.UnusedKeys.Count > 0)
        {
            log.Warning("{Source}: keys of messages that do nothing here: {Keys}", source.Label,
                string.Join(", ", report.UnusedKeys.OrderBy(key => key.Key, StringComparer.Ordinal).Select(key => $"{key.Key} in {Rows(key.Value)}")));
        }
        if (store.Count == 0) throw new RequestException($"{source.Label}: no row is left\n{new DataReport([report]).Table()}");
    }

    /// <summary>The tokens of a source: kept ones where nothing has changed, else made anew.</summary>
    private TokenStore Tokens(Source source, ILogger log, CancellationToken cancel)
    {
        var settings = new EncodeSettings
        {
            Codec = _settings.Codec,
            Masks = new MaskSettings { TrainOnPrompt = _config.TrainOnPrompt, MaskHistory = _config.MaskHistory, RolesToTrain = _config.RolesToTrain },
            MaxLength = _config.Packing == PackingMode.Wrapped ? null : MaxLength,
            Truncation = _config.Truncation,
            OnError = _config.OnError,
            Threads = _config.NumProc ?? Environment.ProcessorCount,
        };
        var kept = _cache is not null && !source.Files.Contains(SourceFiles.StandardInput);
        var key = kept ? DataCache.Key(source, settings) : "";
        var path = kept ? DataCache.FileOf(_cache!, key) : Path.Combine(_temporary.Value, $"{_stores.Count}.tokens");
        if (kept && TokenStore.Open(path, key) is { } cached)
        {
            DataCache.Touch(path);
            log.Debug("{Source}: tokens of an earlier run, {File}", source.Label, path);
            return cached.OfFiles(source.Label, source.Files);
        }
        if (kept && File.Exists(path)) log.Warning("{Source}: the tokens of an earlier run are damaged and are made anew, {File}", source.Label, path);
        using (var writer = new TokenWriter(path, durable: kept)) SourceEncoder.Encode(source, settings, writer, key, _settings.Progress, cancel);
        if (kept) DataCache.Prune(_cache!, DateTime.UtcNow, DataCache.Limit());
        return TokenStore.Open(path, key) ?? throw new RunException($"{path} is damaged right after it was written; is the disk failing?");
    }

    /// <summary>Divides the documents into those to train on and those held out.</summary>
    private void Divide(ILogger log)
    {
        var contents = Enumerable.Range(0, Count).Select(Content).ToArray();
        if (_config is { Packing: PackingMode.Wrapped, Eval.Fraction: { } fraction }) CutLongTexts(fraction);
        var division = Division.Of(contents, _starts, _config.Sources.Count, _config.Eval, _config.Deduplicate, _cut.ContainsKey);
        Training = division.Training;
        var trained = _cut.Count == 0 ? [] : Training.SelectMany(t => t).ToHashSet();
        _ends.AddRange(_cut.Where(c => trained.Contains(c.Key)).OrderBy(c => c.Key).Select(c => (c.Key, c.Value)));
        Eval = [.. division.Eval, .. Enumerable.Range(Count, _ends.Count)];
        var reports = _stores.Select((s, i) => s.Header.Report with
        {
            Label = LabelOf(i),
            Duplicates = division.Duplicates[i],
            Eval = division.HeldOut[i] + _ends.Count(e => Locate(e.Document).Store == i),
        });
        Report = new DataReport([.. reports]) { Overlap = division.Overlap + _ends.Count(e => division.TrainedWhole.Contains(contents[e.Document])) };
        Labels = [.. Report.Sources.Select(r => r.Label)];
        foreach (var source in _ends.GroupBy(e => Locate(e.Document).Store))
        {
            log.Information("{Source}: held out is the end of each text that is longer than a row: {Count:N0} of {Documents:N0}, {Tokens:N0} tokens",
                Labels[source.Key], source.Count(), _stores[source.Key].Count, source.Sum(e => (long)Stored(e.Document).Length - e.Start));
        }
        Fingerprint = Print();
        Warn(log);
        if (Training.All(t => t.Length == 0)) throw new RequestException($"no row is left to train on\n{Report.Table()}");
    }

    private string Print()
    {
        var hash = new XxHash3();
        foreach (var document in Training.SelectMany(t => t))
        {
            var stored = Stored(document);
            hash.Append(MemoryMarshal.AsBytes([stored.Content, (ulong)Length(document), (ulong)TrainedCount(document), (ulong)SourceOf(document)]));
        }
        var grouped = _config is { Packing: PackingMode.None, GroupByLength: true } ? _settings.RowsPerStep : 0;
        var settings = $"{MaxLength} {_config.Packing} {grouped} {_config.Mixing} {_config.WeightUnit} {_config.Shuffle} "
            + string.Join(' ', _config.Sources.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Weight:R}/{s.MaxRepeats}")));
        hash.Append(Encoding.UTF8.GetBytes(settings));
        return $"{hash.GetCurrentHashAsUInt64():x16}";
    }

    private string LabelOf(int source)
    {
        var label = _stores[source].Header.Report.Label;
        var same = Enumerable.Range(0, source).Count(s => _stores[s].Header.Report.Label == label);
        return same == 0 ? label : $"{label} ({same + 1})";
    }

    private static string Rows(long count) => string.Create(CultureInfo.InvariantCulture, $"{count:N0} {(count == 1 ? "row" : "rows")}");

    private void Warn(ILogger log)
    {
        string[] withoutEnd = ["prompt_completion", .. RunningText];
        if (_settings.Codec.Eos is null && _stores.Exists(s => withoutEnd.Contains(s.Header.Report.Format)))
            log.Warning("The tokenizer names no end of text (eos_token), so texts and completions are trained on without one: the model will not learn to stop");
        if (Judgement != Judgement.None && (_config.TrainOnPrompt || _config.MaskHistory || _config.RolesToTrain is not ["assistant"]))
            log.Warning("train_on_prompt, mask_history and roles_to_train do nothing here: of judged answers all counts, and of their prompts nothing");
        if (Report.Overlap > 0)
            log.Warning("{Count:N0} of {Eval:N0} held-out rows also stand among those trained on: their loss says little about new text", Report.Overlap, Eval.Length);
        var duplicates = Report.Sources.Sum(s => s.Duplicates);
        if (duplicates > 0 && !_config.Deduplicate) log.Information("Exact duplicates: {Rows}; data.deduplicate: true leaves them out", Rows(duplicates));
        if (_config.Mixing != MixingMode.AllExhausted && _config.Sources.Any(s => s.MaxRepeats is not null))
            log.Warning("max_repeats of a source does nothing unless data.mixing is all_exhausted");
        if (_config.Mixing == MixingMode.Once && _config.Sources.Count == 1 && _config.Sources[0].Weight != 1)
            log.Warning("the weight of {Source} does nothing: it is the only source, and data.mixing: once takes each row once", Labels[0]);
        else if (_config.Mixing == MixingMode.Once && _config.Sources.Any(s => s.Weight != 1))
        {
            log.Warning(
                "data.mixing: once takes each row once, whatever the weights; the shares come out as {Shares}. "
                + "Set data.mixing: first_exhausted or all_exhausted to have the weights held",
                string.Join(", ", Training.Select((t, s) => $"{Labels[s]} {100.0 * t.Length / Training.Sum(x => x.Length):F0}%")));
        }
    }

    /// <summary>Long texts of which the end is held out; the document itself is what comes before.</summary>
    private void CutLongTexts(double fraction)
    {
        for (var document = 0; document < _starts[_config.Sources.Count]; document++)
        {
            var (store, _) = Locate(document);
            if (RunningText.Contains(_stores[store].Header.Report.Format)
                && LongTexts.HeldOutFrom(Stored(document).Length, MaxLength, _stores[store].Count, fraction) is { } start) _cut[document] = start;
        }
    }

    private (int Document, int Start) Part(int document) => document < Count ? (document, 0) : _ends[document - Count];

    private (int Store, int Index) Locate(int document)
    {
        var at = _starts.BinarySearch(document);
        var store = at >= 0 ? at : ~at - 1;
        while (_starts[store + 1] == document) store++;
        return (store, document - _starts[store]);
    }

    private StoredDocument Stored(int document)
    {
        var (store, index) = Locate(document);
        return _stores[store][index];
    }

    public void Dispose()
    {
        foreach (var store in _stores) store.Dispose();
        _stores.Clear();
        if (_temporary.IsValueCreated && Directory.Exists(_temporary.Value)) Directory.Delete(_temporary.Value, recursive: true);
    }
}
