using LlmTune.Data;

namespace LlmTune.Recipes.Quickstart;

/// <summary>A made-up table: a name, columns (the first is always <c>name</c>), rows.</summary>
/// <param name="Texts">Columns of words.</param>
/// <param name="Numbers">Columns of whole numbers, in each of which no number occurs twice.</param>
/// <param name="Columns">All columns in the order of the table.</param>
internal sealed record MadeUpTable(string Name, string[] Texts, string[] Numbers, string[] Columns, IReadOnlyList<string[]> Rows)
{
    private const int FewestRows = 4, MostRows = 6;

    /// <summary>What stands in columns of numbers: 10, 15 … 95.</summary>
    public static string[] AllNumbers { get; } = [.. Enumerable.Range(2, 18).Select(number => $"{5 * number}")];

    /// <summary>What a model is shown of it: <c>ships (name, color, price)</c>.</summary>
    public string Schema => $"{Name} ({string.Join(", ", Columns)})";

    public string Cell(int row, string column) => Rows[row][Array.IndexOf(Columns, column)];

    public int Number(int row, string column) => int.Parse(Cell(row, column), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A table of one or two columns of words and one or two of numbers, in any order behind the name.</summary>
    public static MadeUpTable Draw(ref SplitMix64 random)
    {
        var thing = random.Pick(Words.Things).Many;
        var texts = random.Pick(Words.Texts.Select(text => text.Column).ToArray(), 1 + random.Below(2));
        var numbers = random.Pick(Words.Numbers, 1 + random.Below(2));
        string[] others = [.. texts, .. numbers];
        random.Shuffle<string>(others);

        var count = FewestRows + random.Below(MostRows - FewestRows + 1);
        string[] columns = ["name", .. others];
        var cells = new Dictionary<string, string[]> { ["name"] = random.Pick(Words.Names, count) };
        foreach (var text in texts) cells[text] = Values(text, count, ref random);
        foreach (var number in numbers) cells[number] = random.Pick(AllNumbers, count);
        var rows = Enumerable.Range(0, count).Select(row => columns.Select(column => cells[column][row]).ToArray());
        return new MadeUpTable(thing, texts, numbers, columns, [.. rows]);
    }

    private static string[] Values(string column, int count, ref SplitMix64 random)
    {
        var values = Words.Texts.Single(text => text.Column == column).Values;
        var drawn = new string[count];
        for (var row = 0; row < count; row++) drawn[row] = random.Pick(values);
        return drawn;
    }
}

internal static class Picking
{
    public static T Pick<T>(this ref SplitMix64 random, T[] items) => items[random.Below(items.Length)];

    /// <summary>So many different ones, in random order.</summary>
    public static T[] Pick<T>(this ref SplitMix64 random, T[] items, int count)
    {
        T[] mixed = [.. items];
        random.Shuffle<T>(mixed);
        return mixed[..count];
    }
}
