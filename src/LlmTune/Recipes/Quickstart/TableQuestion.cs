using LlmTune.Data;

namespace LlmTune.Recipes.Quickstart;

/// <summary>A question about a table, in words and in SQL.</summary>
/// <param name="Answer">What is right, row by row, found from the table without SQL.</param>
internal sealed record TableQuestion(MadeUpTable Table, string Question, string Sql, IReadOnlyList<string> Answer)
{
    private static readonly Kind[] Kinds =
        [OfOneRow, OfValue, OfValue, Compared, Compared, Counted, CountedWith, Aggregate, Aggregate, Extreme, Extreme];

    private delegate TableQuestion Kind(MadeUpTable table, ref SplitMix64 random);

    /// <summary>What a model is asked: the table's schema and the question.</summary>
    public string Prompt => $"{Table.Schema}: {Question}";

    public static TableQuestion Draw(MadeUpTable table, ref SplitMix64 random) => random.Pick(Kinds)(table, ref random);

    private static TableQuestion OfOneRow(MadeUpTable table, ref SplitMix64 random)
    {
        var row = random.Below(table.Rows.Count);
        var (name, column) = (table.Cell(row, "name"), random.Pick(table.Columns[1..]));
        var question = random.Pick([$"What is the {column} of {name}?", $"Which {column} has {name}?"]);
        return new(table, question, $"SELECT {column} FROM {table.Name} WHERE name = '{name}'", [table.Cell(row, column)]);
    }

    private static TableQuestion OfValue(MadeUpTable table, ref SplitMix64 random)
    {
        var (column, value, rows) = Condition(table, ref random);
        var question = random.Pick([$"Which {table.Name} have the {column} {value}?", $"List the {table.Name} with the {column} {value}."]);
        return new(table, question, $"SELECT name FROM {table.Name} WHERE {column} = '{value}'", [.. rows.Select(row => table.Cell(row, "name"))]);
    }

    private static TableQuestion Compared(MadeUpTable table, ref SplitMix64 random)
    {
        var column = random.Pick(table.Numbers);
        var bound = table.Number(random.Below(table.Rows.Count), column);
        var above = random.Below(2) == 0;
        var question = $"Which {table.Name} have a {column} {(above ? "above" : "below")} {bound}?";
        var rows = Enumerable.Range(0, table.Rows.Count).Where(row => above ? table.Number(row, column) > bound : table.Number(row, column) < bound);
        return new(
            table, question, $"SELECT name FROM {table.Name} WHERE {column} {(above ? '>' : '<')} {bound}",
            [.. rows.Select(row => table.Cell(row, "name"))]);
    }

    private static TableQuestion Counted(MadeUpTable table, ref SplitMix64 random) => new(
        table, random.Pick([$"How many {table.Name} are there?", $"Count the {table.Name}."]),
        $"SELECT COUNT(*) FROM {table.Name}", [$"{table.Rows.Count}"]);

    private static TableQuestion CountedWith(MadeUpTable table, ref SplitMix64 random)
    {
        var (column, value, rows) = Condition(table, ref random);
        return new(
            table, $"How many {table.Name} have the {column} {value}?",
            $"SELECT COUNT(*) FROM {table.Name} WHERE {column} = '{value}'", [$"{rows.Length}"]);
    }

    private static TableQuestion Aggregate(MadeUpTable table, ref SplitMix64 random)
    {
        var column = random.Pick(table.Numbers);
        var numbers = Enumerable.Range(0, table.Rows.Count).Select(row => table.Number(row, column)).ToArray();
        var (function, word, value) = random.Pick((((string, string, double)[])
            [("MAX", "highest", numbers.Max()), ("MIN", "lowest", numbers.Min()),
             ("AVG", "average", numbers.Average()), ("SUM", "total", numbers.Sum())]));
        var question = random.Pick([$"What is the {word} {column} of the {table.Name}?", $"Give the {word} {column}."]);
        return new(table, question, $"SELECT {function}({column}) FROM {table.Name}", [FormattableString.Invariant($"{value}")]);
    }

    private static TableQuestion Extreme(MadeUpTable table, ref SplitMix64 random)
    {
        var column = random.Pick(table.Numbers);
        var highest = random.Below(2) == 0;
        var one = Words.Things.Single(thing => thing.Many == table.Name).One;
        var count = random.Pick([1, 1, 2, 3]);
        var word = highest ? "highest" : "lowest";
        var question = count == 1 ? $"Which {one} has the {word} {column}?" : $"Which {count} {table.Name} have the {word} {column}?";
        var rows = Enumerable.Range(0, table.Rows.Count).OrderBy(row => highest ? -table.Number(row, column) : table.Number(row, column)).Take(count);
        return new(
            table, question, $"SELECT name FROM {table.Name} ORDER BY {column} {(highest ? "DESC" : "ASC")} LIMIT {count}",
            [.. rows.Select(row => table.Cell(row, "name"))]);
    }

    /// <summary>A column of words and a value that occurs in it, with the rows that have it.</summary>
    private static (string Column, string Value, int[] Rows) Condition(MadeUpTable table, ref SplitMix64 random)
    {
        var column = random.Pick(table.Texts);
        var value = table.Cell(random.Below(table.Rows.Count), column);
        return (column, value, [.. Enumerable.Range(0, table.Rows.Count).Where(row => table.Cell(row, column) == value)]);
    }
}
