using System.Text.RegularExpressions;
using LlmTune.Recipes.Quickstart;

namespace LlmTune.Tests.Recipes.Quickstart;

public class MadeUpDataTests
{
    private static readonly QuickstartSize Size = QuickstartSize.Fast with { Texts = 2000, Chats = 2000, Questions = 4000, HeldOut = 200 };

    /// <summary>Every query is run over its table, and gives what was found there without SQL.</summary>
    [Theory]
    [InlineData(42)]
    [InlineData(7)]
    public void The_SQL_answers_the_question(long seed)
    {
        var data = MadeUpData.Draw(seed, Size);
        Assert.All(data.Train.Concat(data.HeldOut), question =>
            Assert.Equal(question.Answer.Order(StringComparer.Ordinal), SmallSql.Run(question.Table, question.Sql).Order(StringComparer.Ordinal)));
        string[] kinds = ["SELECT COUNT", "SELECT MAX", "SELECT MIN", "SELECT AVG", "SELECT SUM", "= '", "> ", "< ", "DESC LIMIT", "ASC LIMIT"];
        Assert.All(kinds, kind => Assert.Contains(data.Train, question => question.Sql.Contains(kind, StringComparison.Ordinal)));
        Assert.All(kinds, kind => Assert.Contains(data.HeldOut, question => question.Sql.Contains(kind, StringComparison.Ordinal)));
    }

    /// <summary>The evaluator itself, on a table that can be reckoned by hand.</summary>
    [Theory]
    [InlineData("SELECT color FROM ships WHERE name = 'Ben'", "blue")]
    [InlineData("SELECT name FROM ships WHERE color = 'red'", "Ada Cleo")]
    [InlineData("SELECT name FROM ships WHERE price > 20", "Ben Cleo")]
    [InlineData("SELECT COUNT(*) FROM ships WHERE color = 'red'", "2")]
    [InlineData("SELECT AVG(price) FROM ships", "40")]
    [InlineData("SELECT SUM(price) FROM ships", "120")]
    [InlineData("SELECT name FROM ships ORDER BY price DESC LIMIT 2", "Cleo Ben")]
    [InlineData("SELECT name FROM ships ORDER BY price ASC LIMIT 1", "Ada")]
    public void Queries_worked_by_hand(string sql, string answer)
    {
        var table = new MadeUpTable("ships", ["color"], ["price"], ["name", "color", "price"], [["Ada", "red", "20"], ["Ben", "blue", "25"], ["Cleo", "red", "75"]]);
        Assert.Equal(answer.Split(' '), SmallSql.Run(table, sql));
    }

    [Fact]
    public void Tables_that_are_held_out_are_not_trained_on_in_any_order_of_their_columns()
    {
        var data = MadeUpData.Draw(42, QuickstartSize.Full);
        static string Key(TableQuestion question) => $"{question.Table.Name} {string.Join(' ', question.Table.Columns.Order(StringComparer.Ordinal))}";
        Assert.Equal(QuickstartSize.Full.HeldOut, data.HeldOut.Select(Key).Distinct().Count());
        Assert.Empty(data.HeldOut.Select(Key).Intersect(data.Train.Select(Key)));
        Assert.Equal(data.Train.Count, data.Train.Select(question => question.Prompt).Distinct().Count());
        Assert.Equal(
            (QuickstartSize.Full.Texts, QuickstartSize.Full.Chats, QuickstartSize.Full.Questions), (data.Texts.Distinct().Count(), data.Chats.Distinct().Count(), data.Train.Count));
    }

    /// <summary>What the base reads has the words of SQL, and no query.</summary>
    [Fact]
    public void The_general_text_has_no_query()
    {
        var data = MadeUpData.Draw(42, QuickstartSize.Full);
        string[] general = [.. data.Texts, .. data.Chats.Select(chat => $"{chat.User} {chat.Assistant}")];
        Assert.Contains(general, text => text.Contains("SELECT", StringComparison.Ordinal));
        Assert.DoesNotContain(general, text => Regex.IsMatch(text, @"SELECT \S+ FROM|FROM \w+ (WHERE|ORDER)"));
    }

    [Fact]
    public void The_same_seed_writes_the_same_bytes_and_another_others()
    {
        using var folder = new TemporaryFolder();
        MadeUpData.Draw(1, Size).Write(folder["a"]);
        MadeUpData.Draw(1, Size).Write(folder["b"]);
        MadeUpData.Draw(2, Size).Write(folder["c"]);
        string[] names = ["text.jsonl", "chats.jsonl", "questions.jsonl", "held-out.jsonl"];
        Assert.All(names, name => Assert.Equal(File.ReadAllBytes(Path.Combine(folder["a"], name)), File.ReadAllBytes(Path.Combine(folder["b"], name))));
        Assert.All(names, name => Assert.NotEqual(File.ReadAllBytes(Path.Combine(folder["a"], name)), File.ReadAllBytes(Path.Combine(folder["c"], name))));
    }
}
