using LlmTune.Config;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Models;
using LlmTune.Tokenization;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>What a starter file is fitted to: the sources with format and columns filled in, and how long their documents are.</summary>
/// <param name="Sources">As they are written into the run file.</param>
/// <param name="Documents">How many there are; of very large files an estimate.</param>
/// <param name="Lengths">Tokens of the documents that were measured: all, or the first of each source.</param>
public sealed record StarterData(IReadOnlyList<SourceConfig> Sources, long Documents, IReadOnlyList<int> Lengths)
{
    /// <summary>So many rows of a source are tokenized.</summary>
    private const int Measured = 20_000;

    /// <summary>So many rows of a source are counted; the rest is estimated by the share of the file that they take.</summary>
    private const int Counted = 2_000_000;

    /// <summary>Whether the lengths are those of all documents.</summary>
    public bool IsWhole => Lengths.Count >= Documents;

    /// <summary>Tokens of a document, on average.</summary>
    public double Mean => Lengths.Average();

    public int Longest => Lengths.Max();

    /// <summary>The tokens of all documents.</summary>
    public long Tokens => (long)(Mean * Documents);

    /// <summary>The length that so large a share of the documents does not exceed.</summary>
    public int Quantile(double share) => Lengths.Order().ElementAt(Math.Min((int)Math.Ceiling(share * Lengths.Count), Lengths.Count) - 1);

    /// <summary>Reads the data of a run: what cannot be trained on is refused as training would refuse it, rows that do not fit are counted and said.</summary>
    /// <param name="run">Its paths are those that are read.</param>
    /// <exception cref="RequestException">There is no such file, it holds no rows, or nothing that can be trained on.</exception>
    public static StarterData Read(RunConfig run, ModelFolder folder, HfTokenizer tokenizer, ILogger log, CancellationToken cancel = default)
    {
        var codec = Codec.Of(tokenizer, ChatTemplate.For(tokenizer, tokenizer.Folder, run.Model.ChatTemplate), folder.Spec.Vocabulary);
        var counts = run.Data.Sources.Select(source => Count(source, codec.Render is not null && run.Data.Packing != PackingMode.Wrapped, log, cancel)).ToList();
        var measured = run.Data with
        {
            Sources = [.. counts.Select(count => count.Source with { Limit = Measured })],
            Eval = null,
            MaxLength = int.MaxValue,
            OnError = OnError.Skip,
            Cache = false,
        };
        using var corpus = Corpus.Build(measured, new CorpusSettings { Codec = codec }, log, cancel);
        double documents = 0;
        foreach (var (report, (_, rows)) in corpus.Report.Sources.Zip(counts)) documents += rows * ((double)report.Documents / report.Rows);
        return new StarterData([.. counts.Select(count => count.Source)], (long)Math.Round(documents), [.. corpus.Training.SelectMany(list => list).Select(corpus.Length)]);
    }

    /// <summary>A source with what was found filled in, where no model is at hand to measure it.</summary>
    /// <exception cref="RequestException">There is no such file, it holds no rows, or no format fits them.</exception>
    public static SourceConfig Describe(SourceConfig config, ILogger log)
    {
        config = Guessed(config, hasTemplate: true, log);
        using var source = Open(config, hasTemplate: true);
        return Filled(config, source);
    }

    /// <summary>Where no format fits and the names of the columns say enough, the columns that are likely meant: said, and written into the file.</summary>
    private static SourceConfig Guessed(SourceConfig config, bool hasTemplate, ILogger log)
    {
        if (Source.Guess(config, new RowSettings { HasTemplate = hasTemplate }) is not { Prompt: { } first, Answer: { } last, Context: var context }) return config;
        var (prompt, answer) = hasTemplate ? ("question", "answer") : ("prompt", "completion");
        List<KeyValuePair<string, string>> columns = [KeyValuePair.Create(answer, last)];
        if (context is null) columns.Add(KeyValuePair.Create(prompt, first));
        log.Warning("{Source}: no format fits its rows; by the names of the columns {Prompt} is the prompt and {Answer} the answer: look at data.sources in the file, and at llmtune preview",
            config.Path, context is null ? first : $"{context} with {first}", last);
        return config with { Columns = new ValueDictionary(columns), PromptTemplate = context is null ? null : $"{{{context}}}\n{{{first}}}" };
    }

    private static Source Open(SourceConfig config, bool hasTemplate) => Source.Open(config, new RowSettings { HasTemplate = hasTemplate });

    /// <param name="templated">Whether pairs of texts go through the chat template, by which the model will be asked.</param>
    private static (SourceConfig Source, long Rows) Count(SourceConfig config, bool templated, ILogger log, CancellationToken cancel)
    {
        config = Guessed(config, templated, log);
        using var source = Open(config, templated);
        var filled = Filled(config, source);
        if (TemplateUse.AsConversation(source) is { } columns)
        {
            log.Information("{Source}: its prompts and completions go through the model's chat template, as questions and answers; for plain text write columns: {Columns}",
                source.Label, ConfigFile.Written(new ValueDictionary(columns.Select(column => KeyValuePair.Create(column.Key == "question" ? "prompt" : "completion", column.Value)))));
            filled = filled with { Format = QuestionAnswer.Format.Name, Columns = new ValueDictionary(columns) };
        }
        long rows = 0;
        foreach (var _ in source.Rows().Take(Counted))
            if (++rows % 10_000 == 0) cancel.ThrowIfCancellationRequested();
        return (filled, rows == Counted && source.Progress is > 0 and < 1 ? (long)(rows / source.Progress) : rows);
    }

    /// <summary>Format and columns as they were found, so that the file says what is done; columns that have the names of their parts need no word.</summary>
    private static SourceConfig Filled(SourceConfig config, Source source)
    {
        if (source.First() is not { } row) return config with { Format = source.Format.Name };
        var columns = source.Format.Parts.Where(part => row.TryGet(part.Name, out _)).Select(part => KeyValuePair.Create(part.Name, row.ColumnOf(part.Name)))
            .Where(column => column.Key != column.Value).ToList();
        return config with { Format = source.Format.Name, Columns = columns.Count == 0 ? config.Columns : new ValueDictionary(columns) };
    }
}
