using System.Globalization;
using System.Text.RegularExpressions;
using LlmTune.Recipes.Quickstart;

namespace LlmTune.Tests.Recipes.Quickstart;

/// <summary>As much of SQL as the made-up questions need, run over a table.</summary>
internal static partial class SmallSql
{
    public static IReadOnlyList<string> Run(MadeUpTable table, string sql)
    {
        var query = Query().Match(sql);
        Assert.True(query.Success, sql);
        Assert.Equal(table.Name, query.Groups["table"].Value);
        IEnumerable<string[]> rows = table.Rows;
        int Column(string group)
        {
            var column = Array.IndexOf(table.Columns, query.Groups[group].Value);
            Assert.True(column >= 0, $"{sql}: {query.Groups[group].Value} is not in {table.Schema}");
            return column;
        }

        if (query.Groups["where"].Success)
        {
            var (column, value) = (Column("where"), query.Groups["value"].Value.Trim('\''));
            rows = query.Groups["compare"].Value switch
            {
                "=" => rows.Where(row => row[column] == value),
                ">" => rows.Where(row => Number(row[column]) > Number(value)),
                _ => rows.Where(row => Number(row[column]) < Number(value)),
            };
        }
        if (query.Groups["order"].Success)
        {
            var column = Column("order");
            rows = rows.OrderBy(row => Number(row[column]));
            if (query.Groups["direction"].Value == "DESC") rows = rows.Reverse();
        }
        if (query.Groups["limit"].Success) rows = rows.Take(int.Parse(query.Groups["limit"].Value, CultureInfo.InvariantCulture));
        if (query.Groups["count"].Success) return [$"{rows.Count()}"];
        if (!query.Groups["function"].Success) return [.. rows.Select(row => row[Column("select")])];
        var numbers = rows.Select(row => Number(row[Column("of")])).ToArray();
        return
        [
            (query.Groups["function"].Value switch
            {
                "MAX" => numbers.Max(),
                "MIN" => numbers.Min(),
                "SUM" => numbers.Sum(),
                _ => numbers.Sum() / numbers.Length,
            }).ToString(CultureInfo.InvariantCulture),
        ];
    }

    private static double Number(string cell) => double.Parse(cell, CultureInfo.InvariantCulture);

    [GeneratedRegex(
        @"^SELECT (?:(?<count>COUNT\(\*\))|(?<function>MAX|MIN|AVG|SUM)\((?<of>\w+)\)|(?<select>\w+)) FROM (?<table>\w+)"
        + @"(?: WHERE (?<where>\w+) (?<compare>[=<>]) (?<value>'\w+'|\d+))?(?: ORDER BY (?<order>\w+) (?<direction>ASC|DESC))?(?: LIMIT (?<limit>\d+))?$")]
    private static partial Regex Query();
}
