using LlmTune.Data;

namespace LlmTune.Recipes.Quickstart;

/// <summary>
/// Made-up simple English about the same little world: what a model reads before it is tuned. It knows tables by their schema and the
/// words of SQL by their meaning, but holds no query.
/// </summary>
internal static class GeneralText
{
    private static readonly (string Word, string Meaning)[] Sql =
    [
        ("SELECT", "says which columns are wanted"), ("FROM", "names the table"),
        ("WHERE", "keeps the rows that fit"), ("COUNT(*)", "counts the rows"),
        ("MAX({0})", "finds the highest {0}"), ("MIN({0})", "finds the lowest {0}"),
        ("AVG({0})", "finds the average {0}"), ("SUM({0})", "adds up each {0}"),
        ("ORDER BY", "sorts the rows"), ("DESC", "puts the highest first"), ("ASC", "puts the lowest first"), ("LIMIT", "keeps the first rows"),
        ("=", "means the same"), (">", "means above"), ("<", "means below"),
    ];

    private static readonly string[] Places = ["market", "river", "forest", "harbor", "school", "park", "station", "beach"];

    /// <summary>A text of a few sentences.</summary>
    public static string Text(ref SplitMix64 random)
    {
        var table = MadeUpTable.Draw(ref random);
        return random.Below(6) switch
        {
            0 => Story(table, ref random),
            1 => OfSql(table, ref random),
            2 => $"{table.Schema}: {Columns(table)} {Facts(table, 2, ref random)}",
            3 => Quoted(ref random),
            4 => $"{Facts(table, 2, ref random)} {Asked(table, ref random)}",
            _ => $"{Facts(table, 3, ref random)} {Comparison(table, ref random)}",
        };
    }

    /// <summary>Something asked about what was just said, and the answer.</summary>
    public static (string User, string Assistant) Chat(ref SplitMix64 random)
    {
        var table = MadeUpTable.Draw(ref random);
        var column = random.Pick(table.Columns[1..]);
        var row = random.Below(2);
        switch (random.Below(7))
        {
            case 0:
                var (word, meaning) = Explained(random.Pick(Sql), random.Pick(table.Numbers));
                return ($"What does {word} do?", $"{word} {meaning}.");
            case 1:
                return ($"{table.Schema}: Which columns are there?", $"{string.Join(", ", table.Columns)}.");
            case 2:
                return ($"{table.Schema}: What is the table called?", $"{table.Name}.");
            case 3:
                var value = random.Pick(AllValues);
                return ($"Write {value} in quotes.", $"'{value}'");
            case 4:
                var words = string.Join(' ', random.Pick(AllWords, 3));
                return ($"Say again: {words}", words);
            case 5:
                var number = random.Pick(table.Numbers);
                var (first, second) = (table.Number(0, number), table.Number(1, number));
                var high = random.Below(2) == 0;
                return (
                    $"{Fact(table, 0, number)} {Fact(table, 1, number)} Who has the {(high ? "highest" : "lowest")} {number}?",
                    $"{table.Cell(high == first > second ? 0 : 1, "name")}.");
            default:
                return (
                    $"{Fact(table, 0, column)} {Fact(table, 1, column)} What is the {column} of {table.Cell(row, "name")}?",
                    $"{table.Cell(row, column)}.");
        }
    }

    private static string[] AllValues { get; } = [.. Words.Names, .. Words.Texts.SelectMany(text => text.Values)];

    private static string[] AllWords { get; } =
    [
        .. AllValues, .. Words.Numbers, .. Words.Texts.Select(text => text.Column), .. Words.Things.Select(thing => thing.Many),
        .. MadeUpTable.AllNumbers,
    ];

    private static string Fact(MadeUpTable table, int row, string column) =>
        $"The {column} of {table.Cell(row, "name")} is {table.Cell(row, column)}.";

    private static string Facts(MadeUpTable table, int count, ref SplitMix64 random)
    {
        var sentences = new string[count];
        for (var row = 0; row < count; row++)
        {
            var column = random.Pick(table.Columns[1..]);
            var one = Words.Things.Single(thing => thing.Many == table.Name).One;
            sentences[row] = random.Below(2) == 0
                ? Fact(table, row, column)
                : $"{table.Cell(row, "name")} is a {one} with the {column} {table.Cell(row, column)}.";
        }
        return string.Join(" ", sentences);
    }

    private static string Columns(MadeUpTable table) =>
        $"The table {table.Name} has {table.Columns.Length} columns: {string.Join(", ", table.Columns)}. It has {table.Rows.Count} rows.";

    private static string Asked(MadeUpTable table, ref SplitMix64 random)
    {
        var column = random.Pick(table.Columns[1..]);
        var one = Words.Things.Single(thing => thing.Many == table.Name).One;
        return $"Which {one} has the {column} {table.Cell(2, column)}? That is {table.Cell(2, "name")}. "
            + $"How many {table.Name} are there? There are {table.Rows.Count}.";
    }

    private static string Comparison(MadeUpTable table, ref SplitMix64 random)
    {
        var column = random.Pick(table.Numbers);
        var high = random.Below(2) == 0;
        var best = Enumerable.Range(0, table.Rows.Count).MaxBy(row => high ? table.Number(row, column) : -table.Number(row, column));
        return $"The {(high ? "highest" : "lowest")} {column} of the {table.Name} is {table.Cell(best, column)}.";
    }

    private static string Story(MadeUpTable table, ref SplitMix64 random)
    {
        var names = random.Pick(Words.Names, 2);
        var thing = random.Pick(Words.Things).One;
        var (column, values) = random.Pick(Words.Texts);
        return $"{names[0]} went to the {random.Pick(Places)} and saw a {thing}. Its {column} was {random.Pick(values)}. "
            + $"{names[0]} told {names[1]} about the {thing}. Then {names[1]} wanted to see all {table.Name} of the {random.Pick(Places)} too.";
    }

    private static string OfSql(MadeUpTable table, ref SplitMix64 random) =>
        "About SQL: " + string.Join(" ", random.Pick(Sql, 3)
            .Select(entry => Explained(entry, table.Numbers[0])).Select(entry => $"{entry.Word} {entry.Meaning}."));

    private static (string Word, string Meaning) Explained((string Word, string Meaning) entry, string column) =>
        (entry.Word.Replace("{0}", column, StringComparison.Ordinal), entry.Meaning.Replace("{0}", column, StringComparison.Ordinal));

    private static string Quoted(ref SplitMix64 random)
    {
        var values = random.Pick(AllValues, 3);
        return string.Join(" ", values.Select(value => $"The word {value} in quotes is '{value}'."));
    }
}
