using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmTune.Data.Sources;

/// <summary>
/// A split as Hugging Face's datasets writes it: <c>train</c>, or some of its rows, <c>train[:1000]</c>, <c>train[10%:20%]</c>, <c>train[-100:]</c>.
/// Bounds count from the end where they are negative; shares are rounded to the nearest row, half of one to the even one.
/// </summary>
/// <param name="Name">Of the split.</param>
/// <param name="IsWhole">Whether all rows are meant.</param>
public sealed partial record RowSlice(string Name, bool IsWhole, RowBound? From, RowBound? To)
{
    /// <summary>Whether the bounds depend on how many rows there are.</summary>
    public bool NeedsCount => From is { Depends: true } || To is { Depends: true };

    /// <exception cref="RequestException">It is not written so.</exception>
    public static RowSlice Parse(string split)
    {
        var match = Form().Match(split);
        if (!match.Success)
        {
            var sum = split.Contains('+', StringComparison.Ordinal) ? "; several are several sources" : "";
            throw new RequestException($"split '{split}' is not understood; expected a name, or some of its rows: train[:1000], train[10%:20%], train[-100:]{sum}");
        }
        return new RowSlice(match.Groups["name"].Value, !match.Groups["slice"].Success, RowBound.Of(match, "from"), RowBound.Of(match, "to"));
    }

    /// <summary>The first row that is taken, from 0, and the first that is not any more.</summary>
    /// <param name="count">Of all rows; any number where <see cref="NeedsCount"/> is false.</param>
    public (long From, long To) Bounds(long count)
    {
        var from = Math.Min(From?.Of(count) ?? 0, count);
        return (from, Math.Max(from, Math.Min(To?.Of(count) ?? count, count)));
    }

    [GeneratedRegex(@"^(?<name>[\w.-]+)(?<slice>\[(?<from>-?[0-9]+)?(?<frompercent>%)?:(?<to>-?[0-9]+)?(?<topercent>%)?\])?\z")]
    private static partial Regex Form();
}

/// <summary>A bound of a slice: a number of rows, or a share of them in percent.</summary>
public sealed record RowBound(long Number, bool IsPercent)
{
    /// <summary>Whether it depends on how many rows there are.</summary>
    public bool Depends => IsPercent || Number < 0;

    internal static RowBound? Of(Match match, string name) => match.Groups[name].Success
        ? new RowBound(long.Parse(match.Groups[name].Value, CultureInfo.InvariantCulture), match.Groups[name + "percent"].Success) : null;

    internal long Of(long count)
    {
        var rows = IsPercent ? (long)Math.Round(Number * (double)count / 100, MidpointRounding.ToEven) : Number;
        return rows < 0 ? Math.Max(0, count + rows) : rows;
    }
}
