using System.Runtime.ExceptionServices;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Data.Sources;
using LlmTune.Tokenization;

namespace LlmTune.Recipes;

/// <summary>What a tokenizer is trained on, and to what.</summary>
public sealed record TokenizerRequest
{
    /// <summary>Files, folders or patterns of texts: plain ones by their lines, of others a column.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>The column (or place, as in <c>doc.body</c>) that holds the text.</summary>
    public string Column { get; init; } = "text";

    public required BpeTraining Training { get; init; }

    /// <summary>0 for as many as there are processors.</summary>
    public int Threads { get; init; }
}

/// <summary>The story of a tokenizer: texts are read one by one, counted, merged, and written in Hugging Face's form.</summary>
public static class TrainTokenizer
{
    private const int Bytes = 256;

    /// <summary>What special tokens of these names are for.</summary>
    private static readonly (string Role, string[] Names)[] KnownRoles =
    [
        ("bos_token", ["<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>"]),
        ("eos_token", ["</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "<|im_end|>"]),
        ("unk_token", ["<unk>"]),
        ("pad_token", ["<pad>", "<|pad|>", "[PAD]"]),
    ];

    /// <param name="progress">Hears how many per cent of the bytes are read, then how many entries there are.</param>
    /// <exception cref="RequestException">The vocabulary has no room for what it must hold, or a source has no text.</exception>
    public static TrainedTokenizer Run(TokenizerRequest request, IProgress<TrainingProgress>? progress = null, CancellationToken cancel = default)
    {
        var training = request.Training;
        var least = Bytes + training.SpecialTokens.Distinct().Count();
        if (training.VocabularySize < least)
            throw new RequestException($"a vocabulary of {training.VocabularySize} has no room for {Bytes} bytes and the special tokens; it must have at least {least} entries");
        if (training.SpecialTokens.Any(string.IsNullOrWhiteSpace)) throw new RequestException("a special token must not be empty");
        var files = request.Sources.SelectMany(source => SourceFiles.Find(source)).Distinct().ToList();
        try
        {
            return BpeTrainer.Train(Texts(files, request.Column, progress), training, new Merging(progress), request.Threads, cancel);
        }
        catch (AggregateException e)   // what is wrong with a row, met by one of the threads
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
            throw;
        }
    }

    /// <summary>Which special tokens have a role by their names; of several the first in the order in which roles are looked for.</summary>
    public static IReadOnlyDictionary<string, string> Roles(IReadOnlyList<string> specialTokens) => KnownRoles
        .Select(known => (known.Role, Token: known.Names.FirstOrDefault(specialTokens.Contains)))
        .Where(role => role.Token is not null)
        .ToDictionary(role => role.Role, role => role.Token!);

    private static IEnumerable<string> Texts(List<string> files, string column, IProgress<TrainingProgress>? progress)
    {
        var position = new ReadPosition();
        var size = files.Where(file => file != SourceFiles.StandardInput).Sum(file => new FileInfo(file).Length);
        var settings = new RowSettings { Columns = new Dictionary<string, string> { ["text"] = column } };
        var (isEmpty, told) = (true, -1L);
        foreach (var row in SourceReader.Read(files, TextUnit.WholeLine, position))
        {
            isEmpty = false;
            if (size > 0 && 100 * position.Bytes / size is var share && share > told)
            {
                told = share;
                progress?.Report(new TrainingProgress("reading", share, 100));
            }
            yield return Text(row, settings, column);
        }
        if (isEmpty) throw new RequestException($"{string.Join(", ", files)}: there is no text");
    }

    private static string Text(Row row, RowSettings settings, string column)
    {
        if (row.Problem is { } problem) throw new RequestException($"{row.Place}: {problem}");
        // A plain text has no columns to choose from.
        var own = FileKind.Of(row.File)?.Extension == ".txt" ? RowSettings.Default : settings;
        try
        {
            return ((Example.Text)PlainText.Format.Read(new Fields(row.Value, PlainText.Format, own))).Value;
        }
        catch (RowException e)
        {
            throw new RequestException($"{row.Place}: {e.Message}; --column names the column with the text, now {column}", e);
        }
    }

    /// <summary>The trainer's own count of what is read comes from many threads at once; the bytes say it better.</summary>
    private sealed class Merging(IProgress<TrainingProgress>? progress) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Total > 0) progress?.Report(value);
        }
    }
}
