using System.Text.Json;
using LlmTune.Data.Formats;
using LlmTune.Data.Sources;

namespace LlmTune.Data;

/// <summary>A source of the run file, looked at: its files, its name, and the format of its rows.</summary>
internal sealed record Source : IDisposable
{
    /// <summary>So many good rows decide about the format.</summary>
    private const int Sample = 32;

    public required string Label { get; init; }

    public required IReadOnlyList<string> Files { get; init; }

    public required RowFormat Format { get; init; }

    public required RowSettings Settings { get; init; }

    public int? Limit { get; init; }

    /// <summary>Which of the rows are taken, as the run file's split has it; null for all.</summary>
    public RowSlice? Slice { get; init; }

    /// <summary>The prompt's template as the run file has it.</summary>
    public string? Template { get; init; }

    private PeekedRows Peeked { get; init; } = null!;

    private ReadPosition Position { get; init; } = new();

    /// <summary>Share of the files' bytes that have been read; of the standard input none is known.</summary>
    public double Progress => Size == 0 ? 0 : (double)Position.Bytes / Size;

    private long Size => field == 0 ? field = Files.Where(f => f != SourceFiles.StandardInput).Sum(f => new FileInfo(f).Length) : field;

    /// <param name="given">What settings outside of the source say about its rows.</param>
    /// <exception cref="RequestException">Nothing is there, or it has a format that is not known.</exception>
    public static Source Open(SourceConfig config, RowSettings given)
    {
        if (config.Name is not null) return DatasetInfo.Open(config, given);
        var path = config.Path ?? throw new RequestException("a source needs a path, or a name and a dir");
        var slice = config.Split is { } split ? RowSlice.Parse(split) : null;
        var files = SourceFiles.Find(path, slice?.Name);
        if (slice is { NeedsCount: true } && path == SourceFiles.StandardInput)
            throw new RequestException($"split '{config.Split}' of the standard input asks for a share of rows that are not counted; write them to a file first");
        var label = config.Label ?? (path == SourceFiles.StandardInput ? "standard input" : Path.GetFileName(Path.TrimEndingDirectorySeparator(path)));
        var settings = given with
        {
            Columns = config.Columns ?? given.Columns,
            Roles = config.Roles ?? given.Roles,
            Template = config.PromptTemplate is { } template ? PromptTemplate.Parse(template) : null,
        };
        var format = config.Format is { } name ? RowFormat.Named(name) : null;
        var position = new ReadPosition();
        var rows = new PeekedRows(SourceReader.Read(files, format?.Unit ?? TextUnit.File, position));
        settings = settings.SpelledAs(Columns(rows));
        format ??= Find(rows, settings, path);
        return new Source
        {
            Label = label,
            Files = files,
            Format = format,
            Settings = settings,
            Limit = config.Limit,
            Slice = slice is { IsWhole: false } ? slice : null,
            Template = config.PromptTemplate,
            Peeked = rows,
            Position = position,
        };
    }

    /// <summary>What the columns of a source likely are whose rows no format fits; null where one does, or where the run file says it.</summary>
    public static ColumnGuess? Guess(SourceConfig config, RowSettings given)
    {
        if (config is not { Path: { } path, Format: null, Columns: null, PromptTemplate: null }) return null;
        var files = SourceFiles.Find(path, config.Split is { } split ? RowSlice.Parse(split).Name : null);
        using var rows = new PeekedRows(SourceReader.Read(files, TextUnit.File, new ReadPosition()));
        var good = Good(rows).ToList();
        return good.Count > 0 && Detection.Fitting(good, given.SpelledAs(Columns(rows))) is null ? ColumnGuess.Of(good) : null;
    }

    /// <summary>The first good row; null if there is none among those that are looked at.</summary>
    public Fields? First() => Peeked.Peek(1).Find(row => row.Problem is null) is { } row ? new Fields(row.Value, Format, Settings) : null;

    /// <summary>Columns of the first rows that play no part: they are not read.</summary>
    public IReadOnlyList<string> Unused()
    {
        var rows = Good(Peeked).Select(row => new Fields(row, Format, Settings)).ToList();
        var parts = Format.Parts.Select(part => part.Name).Where(part => Settings.Template is null || part != Format.PromptPart).ToList();
        var used = rows.SelectMany(row => parts.Select(row.ColumnOf)).Concat(Settings.Template?.Columns ?? []).ToHashSet(StringComparer.Ordinal);
        return [.. Columns(Peeked).Where(column => !used.Any(name => name == column || name.StartsWith(column + ".", StringComparison.Ordinal)))];
    }

    /// <summary>Columns of the first rows.</summary>
    private static IEnumerable<string> Columns(PeekedRows rows) => Good(rows).SelectMany(row => row.EnumerateObject().Select(property => property.Name)).Distinct();

    private static IEnumerable<JsonElement> Good(PeekedRows rows) =>
        rows.Peek(Sample).Where(row => row.Problem is null && row.Value.ValueKind == JsonValueKind.Object).Select(row => row.Value);

    /// <summary>The rows, once.</summary>
    public IEnumerable<Row> Rows()
    {
        var rows = Peeked.All();
        if (Slice is not null)
        {
            var (from, to) = Slice.Bounds(Slice.NeedsCount ? SourceReader.Read(Files, Format.Unit, new ReadPosition()).LongCount() : long.MaxValue);
            rows = rows.Where((_, i) => i >= from).TakeWhile((_, i) => i < to - from);
        }
        return Limit is { } limit ? rows.Take(limit) : rows;
    }

    public void Dispose() => Peeked.Dispose();

    private static RowFormat Find(PeekedRows rows, RowSettings settings, string path)
    {
        var sample = rows.Peek(Sample);
        if (sample.Count == 0) throw new RequestException($"{path} holds no rows");
        var good = sample.Where(r => r.Problem is null).Select(r => r.Value).ToList();
        if (good.Count > 0) return Detection.Find(good, settings, path);
        var shown = sample.Take(Tally.Shown).Select(r => $"\n  {r.Place}: {r.Problem}");
        var first = sample.Count == 1 ? "its first row cannot be read" : $"none of its first {sample.Count} rows can be read";
        throw new RequestException($"{path}: {first}{string.Concat(shown)}");
    }

    /// <summary>Rows of which the first are looked at before all are taken.</summary>
    private sealed class PeekedRows(IEnumerable<Row> rows) : IDisposable
    {
        private readonly IEnumerator<Row> _rows = rows.GetEnumerator();
        private readonly List<Row> _seen = [];

        /// <summary>The first rows, until enough of them are good or far too many are bad.</summary>
        public List<Row> Peek(int good)
        {
            while (_seen.Count(r => r.Problem is null) < good && _seen.Count < 8 * good && _rows.MoveNext()) _seen.Add(_rows.Current);
            return _seen;
        }

        public IEnumerable<Row> All()
        {
            foreach (var row in _seen) yield return row;
            while (_rows.MoveNext()) yield return _rows.Current;
        }

        public void Dispose() => _rows.Dispose();
    }
}
