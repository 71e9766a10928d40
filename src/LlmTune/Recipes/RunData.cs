using System.Globalization;
using System.Text.RegularExpressions;
using LlmTune.Adapters;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Tokenization;

namespace LlmTune.Recipes;

/// <summary>The data of a run, as training and preview both see them.</summary>
internal static partial class RunData
{
    private const int AuditedRows = 100;

    private static readonly string[] TextFormats = ["text", "lines", "paragraphs", "tokenized"];

    /// <summary>Formats whose rows are conversations.</summary>
    public static readonly string[] ChatFormats = ["messages", "sharegpt", "alpaca", "question_answer"];

    public static CorpusSettings Settings(RunConfig config, ModelFolder folder, Codec codec, IProgress<DataProgress>? onProgress) => new()
    {
        Codec = codec,
        Progress = onProgress,
        ModelLength = folder.Spec.MaxPositions,
        Seed = config.Training.DataSeed,
        RowsPerStep = config.Training.PerDeviceTrainBatchSize * config.Training.GradientAccumulationSteps,
    };

    /// <summary>The tokenizer of a run: the one it names, else that of the adapter it goes on with if that has other tokens than the model, else the model's.</summary>
    public static HfTokenizer Tokenizer(RunConfig config, ModelFolder folder)
    {
        if (config.Model.Tokenizer is { } named) return HfTokenizer.Load(HubCache.Resolve(named));
        return config.Adapter is LoraConfig { Path: { } path } && Vocabulary(config, folder) != folder.Spec.Vocabulary && HfTokenizer.IsIn(RunPlan.AdapterOf(path))
            ? HfTokenizer.Load(RunPlan.AdapterOf(path))
            : HfTokenizer.Load(folder.Path);
    }

    /// <summary>How many tokens the model of a run knows: its own, or those of the adapter that it goes on with.</summary>
    public static int Vocabulary(RunConfig config, ModelFolder folder)
    {
        if (config.Adapter is not LoraConfig { Path: { } path }) return folder.Spec.Vocabulary;
        using var outline = Decoder.Outline(folder.Spec);
        return AdapterFolder.Vocabulary(RunPlan.AdapterOf(path), outline.Parts) ?? folder.Spec.Vocabulary;
    }

    /// <summary>Where tokenized data is kept from run to run: LLMTUNE_CACHE, or the user's own folder; null where neither can be written to.</summary>
    public static string? CacheFolder()
    {
        var root = Environment.GetEnvironmentVariable("LLMTUNE_CACHE") is { Length: > 0 } named
            ? named
            : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData) is { Length: > 0 } own ? Path.Combine(own, "llmtune") : null;
        if (root is null) return null;
        var folder = Path.Combine(root, "data");
        try
        {
            Directory.CreateDirectory(folder);
            using (File.Create(Path.Combine(folder, $".{Guid.NewGuid():N}"), 1, FileOptions.DeleteOnClose)) return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <exception cref="RequestException">An evaluation is asked for, and no row is left for it.</exception>
    public static void RequireHeldOut(RunConfig config, Corpus corpus)
    {
        if (config.Data.Eval is not null && corpus.Eval.Length == 0)
            throw new RequestException(
                $"data.eval holds nothing out of {corpus.Count:N0} documents; take a larger fraction or a count, or name files of their own: data.eval: {{ sources: [{{ path: FILE }}] }}");
    }

    /// <summary>The embeddings as the audit asks for them; a token beyond the table (a tokenizer may have more) has none.</summary>
    public static AuditEmbeddings Embeddings(Tensor table, bool frozen)
    {
        return new AuditEmbeddings(Row, frozen);

        float[] Row(int id)
        {
            if (id >= table.shape[0]) return [];
            using var _ = no_grad();
            using var scope = NewDisposeScope();
            return [.. table.detach()[id].to(ScalarType.Float32).cpu().data<float>()];
        }
    }

    /// <summary>Prompts that the model will see in other tokens than those it was trained behind, as TRL looks for them.</summary>
    private static IEnumerable<AuditFinding> Borders(Corpus corpus)
    {
        foreach (var source in corpus.Report.Sources.Where(source => source.Merged.Count > 0))
        {
            var count = string.Create(CultureInfo.InvariantCulture, $"in {source.Merged.Count:N0} of {source.Documents:N0} documents");
            yield return new AuditFinding(
                "prompt-border", AuditLevel.Warning,
                $"{source.Label}: {count} a token reaches over the border of prompt and completion, first in {source.Merged.First[0]}: "
                + "at inference the prompt is other tokens than those that were trained on",
                "let prompts end without a space and completions begin with one, or end prompts with a line break");
        }
    }

    /// <summary>Prompts and completions that bypass the chat template by which the model will be asked.</summary>
    private static IEnumerable<AuditFinding> PlainPairs(Corpus corpus) => corpus.PlainPairs.Select(pairs => new AuditFinding(
        "plain-pairs", AuditLevel.Warning,
        $"{corpus.Labels[pairs.Source]}: its prompts and completions are trained on as plain text, and this model has a chat template: "
        + "asked through it, as chats and servers ask, it will not answer as it was trained to",
        $"let its rows go through the template: {pairs.Instead}; keep them as they are only where the model will be asked in plain text too"));

    /// <summary>Text of rows that the chat template does not write, so that the model never sees it, and calls that are not as they should be.</summary>
    public static IEnumerable<AuditFinding> LeftOut(Corpus corpus)
    {
        foreach (var source in corpus.Report.Sources)
        {
            string In(Tally rows) => string.Create(CultureInfo.InvariantCulture, $"in {rows.Count:N0} of {source.Rows:N0} rows, first in {rows.First[0]}");
            foreach (var (part, rows) in source.LeftOut.OrderBy(part => part.Key, StringComparer.Ordinal))
            {
                yield return new AuditFinding(
                    "left-out", AuditLevel.Error, $"{source.Label}: the chat template does not write {part}, {In(rows)}: the model never sees that text",
                    "set model.chat_template to one that writes it, or the variable that this one asks for (model.chat_template_kwargs), or take it out of the rows");
            }
            if (source.BrokenArguments.Count > 0)
            {
                yield return new AuditFinding(
                    "arguments", AuditLevel.Warning, $"{source.Label}: arguments of calls are a text that is no JSON object, {In(source.BrokenArguments)}; it stays as it is",
                    "write them as objects, or as JSON text of objects");
            }
        }
    }

    /// <summary>Names in doubled braces that should have been filled in, in the first rows of each source.</summary>
    private static IEnumerable<AuditFinding> Placeholders(HfTokenizer tokenizer, Corpus corpus)
    {
        foreach (var (source, documents) in corpus.Training.Index())
        {
            var rows = documents.Take(AuditedRows).ToList();
            var found = rows.Select(row => Placeholder().Match(tokenizer.Decode([.. corpus.Sequences(row).SelectMany(sequence => sequence.Ids)]))).ToList();
            var count = found.Count(match => match.Success);
            if (count == 0) continue;
            var first = found.FindIndex(match => match.Success);
            yield return new AuditFinding(
                "placeholder", AuditLevel.Warning,
                FormattableString.Invariant($"{corpus.Labels[source]}: {count:N0} of the first {rows.Count:N0} documents hold a name in braces that nothing has filled in, ")
                + $"first in {corpus.Place(rows[first])}: {found[first].Value}",
                "prompt_template writes a column as {name}, with one brace on each side; what the rows themselves hold has to be filled in there");
        }
        foreach (var (source, name) in corpus.DoubledBraces)
        {
            yield return new AuditFinding(
                "placeholder", AuditLevel.Warning,
                $"{corpus.Labels[source]}: prompt_template writes {{{name}}} as it stands: doubled braces are braces",
                $"write {{{name}}} in it, with one brace on each side, for the text of the column {name}");
        }
    }

    [GeneratedRegex(@"\{\{-?\s*[A-Za-z_][\w.]*\s*-?\}\}")]
    private static partial Regex Placeholder();

    /// <summary>Mistakes with special tokens in the first rows of each source.</summary>
    /// <param name="template">The template of the run: what it closes answers with is saved as an end of generation.</param>
    /// <param name="embeddings">Null where the weights are not there.</param>
    public static IReadOnlyList<AuditFinding> Audit(HfTokenizer tokenizer, ChatTemplate? template, Corpus corpus, ModelFolder folder, AuditEmbeddings? embeddings)
    {
        var rows = corpus.Training.SelectMany(documents => documents.Take(AuditedRows)).SelectMany(corpus.Sequences).Select(sequence =>
        {
            var (ids, trained) = (sequence.Ids, sequence.Trained);
            var isText = TextFormats.Contains(corpus.Report.Sources[sequence.Source].Format);
            return new AuditRow(ids, trained, isText ? [] : [.. Enumerable.Range(0, ids.Length).Where(i => trained[i] && (i + 1 == ids.Length || !trained[i + 1]))]);
        }).ToList();
        var stops = new[] { tokenizer.EosId, template is null ? null : EndOfTurn.Of(template, tokenizer) }.OfType<int>().Concat(folder.GenerationEndTokens).Distinct().ToArray();
        return [.. TokenAudit.Check(tokenizer, rows, stops, padId: null, embeddings), .. Borders(corpus), .. LeftOut(corpus), .. PlainPairs(corpus), .. Placeholders(tokenizer, corpus)];
    }
}
