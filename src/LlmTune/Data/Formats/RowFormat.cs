using LlmTune.Data.Sources;

namespace LlmTune.Data.Formats;

/// <summary>A format of rows: what its parts are called, how it is recognised, and what a row of it means.</summary>
/// <param name="Name">What the run file calls it.</param>
/// <param name="Parts">The parts a row has, each with the names of columns it is found under.</param>
/// <param name="Fits">Whether a row has this form; called on rows from which the format is to be found.</param>
/// <param name="Read">The row as an example; throws <see cref="RowException"/> where it does not fit.</param>
public sealed record RowFormat(string Name, IReadOnlyList<Part> Parts, Func<Fields, bool> Fits, Func<Fields, Example> Read)
{
    /// <summary>Every format, in the order in which they are tried.</summary>
    public static IReadOnlyList<RowFormat> All { get; } =
    [
        Tokenized.Format, Preference.Format, Ranking.Format, Kto.Format,
        Messages.Format, ShareGpt.Format, PromptCompletion.Format, Alpaca.Format, QuestionAnswer.Format, PlainText.Format,
    ];

    /// <summary>The part that <c>prompt_template</c> fills; null where none is a prompt.</summary>
    public string? PromptPart { get; init; }

    /// <summary>How its examples are judged.</summary>
    public Judgement Judgement { get; init; }

    /// <summary>What of a text file is a row of this format.</summary>
    public TextUnit Unit { get; init; }

    /// <summary>
    /// Formats that only their name tells from others: a text file that is split otherwise (<c>lines</c>, <c>paragraphs</c>), alpaca as a text.
    /// </summary>
    private static readonly IReadOnlyList<RowFormat> ByName =
    [
        PlainText.Format with { Name = "lines", Unit = TextUnit.Line },
        PlainText.Format with { Name = "paragraphs", Unit = TextUnit.Paragraph },
        AlpacaText.Format,
    ];

    /// <summary>The format of this name.</summary>
    /// <exception cref="RequestException">There is none.</exception>
    public static RowFormat Named(string name) =>
        All.Concat(ByName).FirstOrDefault(f => f.Name == name)
        ?? throw new RequestException($"'{name}' is no format of rows; expected {string.Join(", ", All.Concat(ByName).Select(f => f.Name))}");

    /// <summary>Of each list one part must be there too.</summary>
    public IReadOnlyList<string[]> OneOf { get; init; } = [];

    /// <summary>Whether every part that must be there is.</summary>
    /// <param name="orNull">A column whose value is null counts as well.</param>
    public bool HasRequired(Fields fields, bool orNull = false)
    {
        bool Has(string part) => fields.Has(part) || (orNull && fields.IsNull(part));
        return Parts.All(part => !part.Required || Has(part.Name)) && OneOf.All(parts => Array.Exists(parts, Has));
    }
}

/// <summary>A part of a format: its name, further column names it is found under, and whether a row must have it.</summary>
public sealed record Part(string Name, bool Required, params IReadOnlyList<string> Aliases);
