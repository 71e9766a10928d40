using System.Collections.Concurrent;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Tokenization;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>A token of an example as people see it.</summary>
/// <param name="Text">What it adds to the text; empty while a character is not whole, which its last token then has.</param>
/// <param name="Trained">Whether the model is trained to predict it.</param>
/// <param name="Special">Whether it is a special or added token.</param>
public sealed record PreviewToken(int Id, string Text, bool Trained, bool Special)
{
    /// <summary>What its loss is multiplied by.</summary>
    public float Weight { get; init; } = 1;
}

/// <summary>A judged answer.</summary>
/// <param name="Name">chosen and rejected, good or bad, best to worst.</param>
/// <param name="IsGood">Whether the model is to be led towards it: of several, whether it is the best.</param>
public sealed record PreviewAnswer(string Name, bool IsGood, IReadOnlyList<PreviewToken> Tokens);

/// <summary>An example as it will be trained on.</summary>
/// <param name="Place">File and line.</param>
/// <param name="Tokens">All of it; of judged answers the prompt that they share.</param>
/// <param name="Hidden">Tokens behind those that are shown, of a text that is longer than a row.</param>
public sealed record PreviewExample(string Source, string Place, IReadOnlyList<PreviewToken> Tokens, int Hidden)
{
    /// <summary>Judged answers, the best first; none of an example to imitate.</summary>
    public IReadOnlyList<PreviewAnswer> Answers { get; init; } = [];

    public int Trained => Tokens.Count(token => token.Trained);

    /// <summary>Neighbours of the same kind as one piece of text.</summary>
    /// <param name="apart">Whether each special token is a piece of its own.</param>
    public static IEnumerable<(string Text, bool Trained, bool Special, float Weight)> Pieces(IReadOnlyList<PreviewToken> tokens, bool apart)
    {
        for (var i = 0; i < tokens.Count;)
        {
            var (first, start) = (tokens[i], i);
            do i++;
            while (i < tokens.Count && tokens[i].Trained == first.Trained && tokens[i].Weight == first.Weight && !(apart && (first.Special || tokens[i].Special)));
            yield return (string.Concat(tokens.Skip(start).Take(i - start).Select(token => token.Text)), first.Trained, apart && first.Special, first.Weight);
        }
    }
}

/// <summary>How many documents have a length.</summary>
/// <param name="From">Tokens, from 1.</param>
/// <param name="To">Tokens, this one included.</param>
public sealed record LengthBin(int From, int To, int Count);

/// <summary>What a run will see of its data.</summary>
public sealed record PreviewResult
{
    public required DataReport Report { get; init; }

    /// <summary>How the examples are judged.</summary>
    public required Judgement Judgement { get; init; }

    /// <summary>The first examples of each source, in turn.</summary>
    public required IReadOnlyList<PreviewExample> Examples { get; init; }

    /// <summary>Lengths of the documents that are trained on.</summary>
    public required IReadOnlyList<LengthBin> Lengths { get; init; }

    /// <summary>Tokens of a row.</summary>
    public required int MaxLength { get; init; }

    /// <summary>Documents in them; one that is gone through twice counts twice.</summary>
    public required long Documents { get; init; }

    /// <summary>Rows of the first epoch.</summary>
    public required int Rows { get; init; }

    /// <summary>Share of the rows' room that tokens take.</summary>
    public required double Fill { get; init; }

    /// <summary>Share of padding among what a trainer computes on that lays documents in random order side by side, as many as a batch has rows.</summary>
    public required double Padding { get; init; }

    public required int RowsPerStep { get; init; }

    /// <summary>Optimizer steps of the first epoch.</summary>
    public required int StepsPerEpoch { get; init; }

    /// <summary>Optimizer steps of the run.</summary>
    public required int Steps { get; init; }

    /// <summary>The forms in which the template gets calls of tools, in words; empty where the rows have none.</summary>
    public required IReadOnlyList<string> FormsOfCalls { get; init; }

    public required IReadOnlyList<AuditFinding> Findings { get; init; }

    /// <summary>Answers whose prompt was compared with that of inference; 0 where no row is a conversation.</summary>
    public required long ComparedTurns { get; init; }

    /// <summary>Whether the run would go wrong, or may.</summary>
    public bool HasProblem => Findings.Any(finding => finding.Level is AuditLevel.Error or AuditLevel.Warning);
}

/// <summary>The story of a run up to its first step, without the model's weights: its data as the model will see them.</summary>
public static class Preview
{
    /// <summary>Most bars of the histogram.</summary>
    private const int MostBins = 12;

    /// <param name="examples">How many examples are shown.</param>
    /// <exception cref="RequestException">What training would refuse of the data, in the same words.</exception>
    public static PreviewResult Run(RunConfig config, int examples, ILogger log, IProgress<DataProgress>? onProgress = null, CancellationToken cancel = default)
    {
        RunPlan.RequireModel(config.Model.Path);
        var folder = ModelFolder.Open(config.Model.Path, config.Model.IgnoreUnexpectedTensors);
        var tokenizer = RunData.Tokenizer(config, folder);
        tokenizer.RequireEosWithin(RunData.Vocabulary(config, folder));
        var template = ChatTemplate.For(tokenizer, tokenizer.Folder, config.Model.ChatTemplate, config.TemplateVariables);
        var prompts = new PromptCount(config.Data, template);
        var codec = prompts.Watch(Codec.Of(tokenizer, template, RunData.Vocabulary(config, folder)));
        // Without the cache: prompts are counted where rows are rendered.
        var settings = RunData.Settings(config, folder, codec, onProgress) with { Takes = null };
        using var corpus = Corpus.Build(config.Data with { Cache = false }, settings, log, cancel);
        RunData.RequireHeldOut(config, corpus);

        config = config.Resolved();
        var training = config.Training;
        var shape = new BatchShape(training.PerDeviceTrainBatchSize, training.GradientAccumulationSteps);
        var batches = new Batches(corpus, shape, training.DataSeed);
        var (stepsPerEpoch, steps) = (batches.Plan.Steps(shape.RowsPerStep), training.MaxSteps > 0 ? training.MaxSteps : batches.Steps(training.NumTrainEpochs));
        if (DataOutlook.Shares(corpus, batches.Plan) is { } shares) log.Information("{Shares}", shares);
        foreach (var warning in DataOutlook.Warnings(config, corpus, batches.Plan, steps, stepsPerEpoch)) log.Warning("{Warning}", warning);
        return new PreviewResult
        {
            Report = corpus.Report,
            Judgement = corpus.Judgement,
            Examples = [.. First(corpus, examples).Select(document => Example(corpus, document, tokenizer, batches.Plan.Joined))],
            Lengths = Bins([.. corpus.Training.SelectMany(documents => documents).Select(corpus.Length)]),
            MaxLength = corpus.RowLength,
            Documents = RowBatches.Shares(corpus, batches.Plan, 0, batches.Plan.Rows).Sum(share => share.Documents),
            Rows = batches.Plan.Rows,
            Fill = batches.Plan.Fill,
            Padding = Padded(corpus, training.PerDeviceTrainBatchSize, training.DataSeed),
            RowsPerStep = shape.RowsPerStep,
            StepsPerEpoch = stepsPerEpoch,
            Steps = steps,
            FormsOfCalls = prompts.FormsOfCalls,
            ComparedTurns = prompts.Turns,
            Findings = [.. StoredAudit.Check(config, tokenizer, template, corpus, folder), .. TokenAudit.CheckPrompts(prompts.Inexact, prompts.Turns)],
        };
    }

    /// <summary>How many documents have the lengths 1 to w, w + 1 to 2w, …; w is a power of two.</summary>
    internal static IReadOnlyList<LengthBin> Bins(int[] lengths)
    {
        var longest = lengths.DefaultIfEmpty().Max();
        var width = 1;
        while (longest > MostBins * width) width *= 2;
        var counts = new int[(longest + width - 1) / width];
        foreach (var length in lengths.Where(length => length > 0)) counts[(length - 1) / width]++;
        return [.. counts.Select((count, i) => new LengthBin((i * width) + 1, (i + 1) * width, count))];
    }

    /// <summary>The first of every source, then the second …</summary>
    private static IEnumerable<int> First(Corpus corpus, int count) =>
        corpus.Training.SelectMany(documents => documents.Take(count).Select((document, turn) => (document, turn))).OrderBy(pair => pair.turn).Take(count).Select(pair => pair.document);

    private static PreviewExample Example(Corpus corpus, int document, HfTokenizer tokenizer, bool joined)
    {
        var length = corpus.Length(document);
        var source = corpus.Labels[corpus.SourceOf(document)];
        if (corpus.Judgement != Judgement.None) return Judged(corpus, document, source, tokenizer);
        var shown = corpus.Read(new Slice(document, 0, Math.Min(length, corpus.MaxLength)));
        return new PreviewExample(source, corpus.Place(document), Tokens(shown, tokenizer, joined), length - shown.Length);
    }

    private static PreviewExample Judged(Corpus corpus, int document, string source, HfTokenizer tokenizer)
    {
        var sequences = corpus.Sequences(document).ToList();
        var prompt = sequences[0].Answer!.Value.Prompt;
        var tokens = sequences.ConvertAll(sequence => Tokens(sequence, tokenizer, joined: false));
        return new PreviewExample(source, corpus.Place(document), [.. tokens[0].Take(prompt)], 0)
        {
            Answers = [.. sequences.Zip(tokens, (sequence, its) => Answer(sequence.Answer!.Value, sequences.Count, [.. its.Skip(prompt)]))],
        };
    }

    private static PreviewAnswer Answer(JudgedAnswer answer, int count, IReadOnlyList<PreviewToken> tokens) => (answer, count) switch
    {
        ({ Desirable: { } desirable }, _) => new(desirable ? "good" : "bad", desirable, tokens),
        ({ Rank: 0 }, 2) => new("chosen", true, tokens),
        (_, 2) => new("rejected", false, tokens),
        _ => new($"rank {answer.Rank + 1} of {count}", answer.Rank == 0, tokens),
    };

    private static List<PreviewToken> Tokens(Document shown, HfTokenizer tokenizer, bool joined)
    {
        var added = tokenizer.AddedTokens.Select(token => token.Id).ToHashSet();
        var stream = tokenizer.Stream();
        return
        [
            .. shown.Ids.Select((id, t) =>
            {
                var text = stream.Add(id);
                if (t == shown.Length - 1) text += stream.Finish();
                var trained = shown.Trained[t] && (t > 0 || joined);
                return new PreviewToken(id, text, trained, added.Contains(id) || tokenizer.IsSpecial(id)) { Weight = trained ? shown.Weights?[t] ?? 1 : 1 };
            }),
        ];
    }

    private static double Padded(Corpus corpus, int rows, long seed)
    {
        var order = Mixture.Draw([.. corpus.Training.Select(documents => new MixtureSource(documents))], MixingMode.Once, shuffle: true, (ulong)seed, epoch: 0);
        var plan = new PlanSettings { Packing = PackingMode.None, GroupByLength = false, MaxLength = corpus.RowLength, RowsPerStep = rows };
        return EpochPlan.Of(order, document => Math.Min(corpus.Length(document), corpus.RowLength), plan, (ulong)seed, epoch: 0).Padding;
    }

    /// <summary>Counts the trained turns of the assistant, and those with another prompt than at inference. Rows are rendered on many threads.</summary>
    private sealed class PromptCount(DataConfig data, ChatTemplate? template)
    {
        private readonly MaskSettings _masks = new() { TrainOnPrompt = data.TrainOnPrompt, MaskHistory = data.MaskHistory, RolesToTrain = data.RolesToTrain };
        private readonly ConcurrentDictionary<string, bool> _forms = [];
        private long _turns, _inexact;

        public long Turns => _turns;

        public long Inexact => _inexact;

        public IReadOnlyList<string> FormsOfCalls => [.. _forms.Keys.Order(StringComparer.Ordinal)];

        public Codec Watch(Codec codec) => codec.Render is not { } render ? codec : codec with
        {
            Render = conversation =>
            {
                var rendered = render(conversation);
                Count(conversation, rendered);
                return rendered;
            },
        };

        private void Count(Conversation conversation, RenderedConversation rendered)
        {
            if (template?.FormOfCalls(conversation) is { } form) _forms.TryAdd(form, true);
            var trained = Rendering.Mask(conversation, rendered, _masks);
            foreach (var turn in rendered.Turns)
            {
                if (turn.Role != "assistant" || turn.End <= turn.Start || !trained[turn.Start]) continue;
                Interlocked.Increment(ref _turns);
                if (!turn.PromptIsExact) Interlocked.Increment(ref _inexact);
            }
        }
    }
}
