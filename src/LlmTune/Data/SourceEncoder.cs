using System.Runtime.InteropServices;
using LlmTune.Data.Formats;
using LlmTune.Data.Sources;

namespace LlmTune.Data;

/// <summary>How rows of a source become tokens.</summary>
internal sealed record EncodeSettings
{
    public required Codec Codec { get; init; }

    public required MaskSettings Masks { get; init; }

    /// <summary>Longest document; null where rows are cut from a stream.</summary>
    public int? MaxLength { get; init; }

    public TruncationMode Truncation { get; init; } = TruncationMode.Drop;

    public OnError OnError { get; init; } = OnError.Fail;

    public int Threads { get; init; } = Environment.ProcessorCount;
}

/// <summary>How far the preparation of a source is.</summary>
/// <param name="Share">Share of its bytes.</param>
public sealed record DataProgress(string Source, long Rows, double Share);

/// <summary>Rows to tokens, in parallel over rows, in the order of the rows, with a bounded number of rows in memory.</summary>
internal static class SourceEncoder
{
    private const int ChunkRows = 64;
    private const int ChunkBytes = 1 << 20;

    private enum Fate
    {
        Kept,
        Malformed,
        TooLong,
        NothingToTrain,
    }

    /// <param name="Length">Tokens in a batch, before anything was cut.</param>
    /// <param name="Longest">Those of the longest sequence.</param>
    private readonly record struct Outcome(
        Fate Fate, Row Row, Tokens? Tokens = null, ulong Content = 0, int Length = 0, int Longest = 0, string Message = "")
    {
        /// <summary>Keys of its messages that do nothing.</summary>
        public IReadOnlyList<string> UnusedKeys { get; init; } = [];
    }

    /// <summary>Encodes a source into a token file.</summary>
    /// <exception cref="RequestException">Rows do not fit and <c>on_error</c> is fail, or none is left.</exception>
    public static void Encode(Source source, EncodeSettings settings, TokenWriter writer, string key, IProgress<DataProgress>? progress, CancellationToken cancel)
    {
        var report = new SourceReport { Label = source.Label, Format = source.Format.Name };
        var files = source.Files.Select((file, number) => (file, number)).ToDictionary(f => f.file, f => f.number);
        var byLine = true;
        List<string> fatal = [];
        foreach (var outcome in Outcomes(source, settings, cancel))
        {
            report = Count(report, outcome, settings, fatal);
            byLine &= outcome.Row.ByLine;
            if (fatal.Count == Tally.Shown) break;
            if (report.Rows % ChunkRows == 0) progress?.Report(new DataProgress(source.Label, report.Rows, source.Progress));
            if (outcome is not { Fate: Fate.Kept, Tokens: { } tokens }) continue;
            writer.Add(tokens, outcome.Content, files[outcome.Row.File], outcome.Row.Number);
        }
        if (fatal.Count > 0) throw new RequestException(Refusal(source.Label, fatal, malformed: report.Malformed.Count > 0));
        writer.Finish(new StoreHeader(key, report, source.Files, byLine));
    }

    private static SourceReport Count(SourceReport report, Outcome outcome, EncodeSettings settings, List<string> fatal)
    {
        report = report with { Rows = report.Rows + 1, Longest = Math.Max(report.Longest, outcome.Longest) };
        if (outcome.UnusedKeys is { Count: > 0 } keys)
            report = report with { UnusedKeys = report.UnusedKeys.Keys.Union(keys).ToDictionary(key => key, key => report.UnusedKeys.GetValueOrDefault(key) + (keys.Contains(key) ? 1 : 0)) };
        var shown = $"{outcome.Row.Place}: {outcome.Message}";
        switch (outcome.Fate)
        {
            case Fate.Malformed:
                if (settings.OnError == OnError.Fail) fatal.Add(shown);
                return report with { Malformed = report.Malformed.With(shown) };
            case Fate.TooLong:
                if (settings.Truncation == TruncationMode.Raise) fatal.Add(shown);
                return report with { TooLong = report.TooLong.With(shown), TokensLost = report.TokensLost + outcome.Length };
            case Fate.NothingToTrain:
                return report with { NothingToTrain = report.NothingToTrain.With(shown) };
            default:
                var tokens = outcome.Tokens!;
                var lost = outcome.Length - tokens.Length;
                return report with
                {
                    Documents = report.Documents + 1,
                    Tokens = report.Tokens + tokens.Length,
                    Trained = report.Trained + tokens.TrainedCount,
                    Truncated = lost > 0 ? report.Truncated.With(FormattableString.Invariant($"{outcome.Row.Place}: lost {lost:N0} of {outcome.Length:N0} tokens")) : report.Truncated,
                    TokensLost = report.TokensLost + lost,
                    LeftOut = LeftOut(report.LeftOut, tokens.LeftOut, outcome.Row.Place),
                    BrokenArguments = tokens.HasBrokenArguments ? report.BrokenArguments.With(outcome.Row.Place) : report.BrokenArguments,
                    Merged = tokens.IsMerged ? report.Merged.With(outcome.Row.Place) : report.Merged,
                };
        }
    }

    private static IReadOnlyDictionary<string, Tally> LeftOut(IReadOnlyDictionary<string, Tally> known, IReadOnlyList<string> parts, string place)
    {
        if (parts.Count == 0) return known;
        var counted = new Dictionary<string, Tally>(known);
        foreach (var part in parts) counted[part] = known.GetValueOrDefault(part, Tally.None).With(place);
        return counted;
    }

    private static string Refusal(string label, List<string> problems, bool malformed)
    {
        IEnumerable<string> cure = malformed ? ["  correct them, or set data.on_error: skip to leave such rows out and count them"] : [];
        var count = problems.Count == 1 ? "a row" : problems.Count < Tally.Shown ? $"{problems.Count} rows" : $"{problems.Count} rows or more";
        return string.Join('\n', (IEnumerable<string>)[$"{label}: {count} cannot be trained on", .. problems.Select(p => "  " + p), .. cure]);
    }

    /// <summary>What becomes of each row, in order: chunks of rows are encoded on the pool, at most two for each thread at a time.</summary>
    private static IEnumerable<Outcome> Outcomes(Source source, EncodeSettings settings, CancellationToken cancel)
    {
        var running = new Queue<Task<Outcome[]>>();
        foreach (var chunk in Chunks(source.Rows()))
        {
            cancel.ThrowIfCancellationRequested();
            running.Enqueue(Task.Run(() => chunk.ConvertAll(row => Encode(row, source, settings)).ToArray(), cancel));
            if (running.Count < 2 * settings.Threads) continue;
            foreach (var outcome in running.Dequeue().GetAwaiter().GetResult()) yield return outcome;
        }
        while (running.TryDequeue(out var task))
        {
            foreach (var outcome in task.GetAwaiter().GetResult()) yield return outcome;
        }
    }

    private static IEnumerable<List<Row>> Chunks(IEnumerable<Row> rows)
    {
        List<Row> chunk = [];
        var bytes = 0;
        foreach (var row in rows)
        {
            chunk.Add(row);
            bytes += row.Problem is null ? JsonMarshal.GetRawUtf8Value(row.Value).Length : 0;
            if (chunk.Count < ChunkRows && bytes < ChunkBytes) continue;
            yield return chunk;
            (chunk, bytes) = ([], 0);
        }
        if (chunk.Count > 0) yield return chunk;
    }

    private static Outcome Encode(Row row, Source source, EncodeSettings settings)
    {
        if (row.Problem is not null) return new Outcome(Fate.Malformed, row, Message: row.Problem);
        try
        {
            var example = source.Format.Read(new Fields(row.Value, source.Format, source.Settings));
            var tokens = Rendering.Render(example, settings.Codec, settings.Masks);
            return Limit(row, tokens, example.ContentHash(), settings) with { UnusedKeys = UnusedKeys.Of(example, settings.Codec) };
        }
        catch (RowException e)
        {
            return new Outcome(Fate.Malformed, row, Message: e.Message);
        }
    }

    private static Outcome Limit(Row row, Tokens tokens, ulong content, EncodeSettings settings)
    {
        var whole = new Outcome(Fate.Kept, row, tokens, content, tokens.Length, tokens.Longest);
        if (Nothing(tokens) is { } nothing) return whole with { Fate = Fate.NothingToTrain, Message = nothing };
        if (tokens.Longest <= settings.MaxLength || settings.MaxLength is not { } limit) return whole;
        if (settings.Truncation != TruncationMode.Truncate)
        {
            var cure = tokens.IsText ? "data.packing: wrapped, which loses nothing of long texts" : "data.truncation: truncate";
            var room = tokens.Answers.Count > 1 ? " with its longest answer, there is room for" : ", a row holds";
            var message = FormattableString.Invariant($"has {tokens.Longest:N0} tokens{room} {limit:N0}; raise data.max_length or set {cure}");
            return whole with { Fate = Fate.TooLong, Message = message };
        }
        var cut = LengthLimit.Cut(tokens, limit, settings.Codec.Bos);
        return Nothing(cut) is { } none
            ? whole with { Fate = Fate.NothingToTrain, Message = FormattableString.Invariant($"{none} within {limit:N0} tokens") }
            : whole with { Tokens = cut };
    }

    /// <summary>Why nothing can be learnt from tokens; null where something can.</summary>
    private static string? Nothing(Tokens tokens) =>
        !tokens.AnyTrained ? tokens.Answers.Count > 1 ? "has an answer with no token to train on" : "has no token to train on"
        : JudgedRendering.HasEqualAnswers(tokens) ? "has two answers that are the same"
        : null;
}
