using LlmTune.Data.Formats;

namespace LlmTune.Data;

/// <summary>How examples are judged.</summary>
public enum Judgement
{
    /// <summary>Not at all: all are to be imitated.</summary>
    None,

    /// <summary>Answers to one prompt are compared: one is better than another.</summary>
    Comparison,

    /// <summary>Each answer is said to be good or bad.</summary>
    Label,
}

/// <summary>Which kind of examples the sources of a run have: one, and the one that its objective learns from.</summary>
internal static class Judgements
{
    /// <param name="takes">What the run learns from; null takes any.</param>
    /// <exception cref="RequestException">Sources do not fit: each is named, with what to do.</exception>
    public static Judgement Of(IReadOnlyList<Source> sources, Judgement? takes, PackingMode packing)
    {
        var first = takes ?? sources[0].Format.Judgement;
        var others = sources.Where(source => source.Format.Judgement != first).ToList();
        if (others.Count > 0)
        {
            throw new RequestException(takes switch
            {
                Judgement.None => string.Join('\n', others.Select(NotToImitate)),
                null => $"the sources hold examples of several kinds, and a run learns from one:{List(sources)}\n  leave the others out, or make a run of each",
                { } wanted => $"the objective learns from {Describe(wanted)}, and these sources hold others:{List(others)}\n  leave them out",
            });
        }
        if (first != Judgement.None && packing == PackingMode.Wrapped)
        {
            throw new RequestException(
                "data.packing: wrapped cuts one stream of text, and answers that are judged have to stay whole; set data.packing: true or false");
        }
        return first;
    }

    private static string List(IEnumerable<Source> sources) =>
        string.Concat(sources.Select(source => $"\n  {source.Label}: {source.Format.Name}, {Describe(source.Format.Judgement)}"));

    private static string Describe(Judgement judgement) => judgement switch
    {
        Judgement.Comparison => "answers that are compared",
        Judgement.Label => "answers that are said to be good or bad",
        _ => "examples to imitate",
    };

    private static string NotToImitate(Source source)
    {
        var format = source.Format;
        if (source.First() is not { } row) return $"{source.Label}: its rows are judged answers, which are not all to be imitated";
        if (format.Judgement == Judgement.Label)
        {
            return $"{source.Label}: its rows say by '{row.ColumnOf("label")}' whether an answer is good; bad ones are not to be imitated. "
                + "Leave them out of the file, or set 'format' to train on all";
        }
        var (held, best) = format == Ranking.Format
            ? ("several answers from the best to the worst, which are not all", "best")
            : ("a chosen and a rejected answer, which are not both", "chosen");
        return $"{source.Label}: its rows hold {held} to be imitated; to train on the {best} ones map them, as in "
            + $"columns: {JudgedRows.ColumnsToImitate(row, format)}";
    }
}
