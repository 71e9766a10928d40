using System.Globalization;
using System.Text;

namespace LlmTune.Data;

/// <summary>Rows of a kind: how many, and the first of them.</summary>
public sealed record Tally(long Count, IReadOnlyList<string> First)
{
    /// <summary>How many are shown.</summary>
    public const int Shown = 5;

    public static Tally None { get; } = new(0, []);

    public Tally With(string example) => new(Count + 1, First.Count < Shown ? [.. First, example] : First);
}

/// <summary>What became of the rows of one source.</summary>
public sealed record SourceReport
{
    public required string Label { get; init; }

    /// <summary>Name of the format, found or given.</summary>
    public required string Format { get; init; }

    public long Rows { get; init; }

    /// <summary>Documents that were kept, for training or evaluation.</summary>
    public int Documents { get; init; }

    public long Tokens { get; init; }

    /// <summary>Tokens that are trained on.</summary>
    public long Trained { get; init; }

    /// <summary>Tokens of the longest document, before it was cut or dropped.</summary>
    public int Longest { get; init; }

    public Tally Malformed { get; init; } = Tally.None;

    public Tally TooLong { get; init; } = Tally.None;

    public Tally NothingToTrain { get; init; } = Tally.None;

    public Tally Truncated { get; init; } = Tally.None;

    /// <summary>Rows in which a token reaches over the border of prompt and completion.</summary>
    public Tally Merged { get; init; } = Tally.None;

    /// <summary>Keys of messages that do nothing, and in how many rows.</summary>
    public IReadOnlyDictionary<string, long> UnusedKeys { get; init; } = new Dictionary<string, long>();

    /// <summary>Rows of which the template does not write a part, by its name: the tools, the results of tools …</summary>
    public IReadOnlyDictionary<string, Tally> LeftOut { get; init; } = new Dictionary<string, Tally>();

    /// <summary>Rows with a call of tools whose arguments are a text that is no JSON object.</summary>
    public Tally BrokenArguments { get; init; } = Tally.None;

    /// <summary>Tokens lost by cutting and by dropping what was too long.</summary>
    public long TokensLost { get; init; }

    /// <summary>Documents that say what an earlier one of the same part (training, evaluation) says.</summary>
    public int Duplicates { get; init; }

    /// <summary>Documents held out for evaluation.</summary>
    public int Eval { get; init; }
}

/// <summary>What became of the rows of a run.</summary>
public sealed record DataReport(IReadOnlyList<SourceReport> Sources)
{
    private const string Documents = "documents";

    /// <summary>Held-out documents that also stand among those trained on.</summary>
    public int Overlap { get; init; }

    /// <summary>A table with a line a source and, of several, their sum.</summary>
    public string Table()
    {
        var lines = Lines();
        var widths = lines[0].Select((_, c) => lines.Max(l => l[c].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var line in lines)
        {
            var cells = line.Select((cell, c) => c < 2 ? cell.PadRight(widths[c]) : cell.PadLeft(widths[c]));
            text.Append(string.Join("  ", cells).TrimEnd()).Append('\n');
        }
        return text.ToString();
    }

    /// <summary>
    /// The cells of the table: a header, a line a source and, of several, their sum. The first two columns are names, the others numbers;
    /// a number that is 0 everywhere has no column, nor have documents where each row is one.
    /// </summary>
    public IReadOnlyList<string[]> Lines()
    {
        string[] header =
        [
            "source", "format", "rows", Documents, "held out", "tokens", "trained", "longest", "malformed", "too long", "no target", "cut", "tokens lost",
            "duplicates",
        ];
        List<string[]> lines = [header, .. Sources.Select(Line)];
        if (Sources.Count > 1) lines.Add(Line(Sum()));
        var areRows = Sources.All(source => source.Documents == source.Rows);
        bool IsShown(int column) => column < 2 || (header[column] == Documents ? !areRows : lines.Skip(1).Any(line => line[column] != "0"));
        int[] shown = [.. Enumerable.Range(0, header.Length).Where(IsShown)];
        return [.. lines.Select(line => Array.ConvertAll(shown, column => line[column]))];
    }

    private static string[] Line(SourceReport s) =>
    [
        s.Label, s.Format,
        .. new[]
        {
            s.Rows, s.Documents, s.Eval, s.Tokens, s.Trained, s.Longest, s.Malformed.Count, s.TooLong.Count, s.NothingToTrain.Count, s.Truncated.Count,
            s.TokensLost, s.Duplicates,
        }.Select(n => n.ToString("N0", CultureInfo.InvariantCulture)),
    ];

    private SourceReport Sum() => new()
    {
        Label = "all",
        Format = "",
        Rows = Sources.Sum(s => s.Rows),
        Documents = Sources.Sum(s => s.Documents),
        Eval = Sources.Sum(s => s.Eval),
        Tokens = Sources.Sum(s => s.Tokens),
        Trained = Sources.Sum(s => s.Trained),
        Longest = Sources.Max(s => s.Longest),
        Malformed = new(Sources.Sum(s => s.Malformed.Count), []),
        TooLong = new(Sources.Sum(s => s.TooLong.Count), []),
        NothingToTrain = new(Sources.Sum(s => s.NothingToTrain.Count), []),
        Truncated = new(Sources.Sum(s => s.Truncated.Count), []),
        TokensLost = Sources.Sum(s => s.TokensLost),
        Duplicates = Sources.Sum(s => s.Duplicates),
    };
}
