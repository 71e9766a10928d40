using System.Text;
using System.Text.Json;
using LlmTune.Data.Sources;

namespace LlmTune.Tests.Data.Sources;

public class JsonRowsTests
{
    private const string Chat = """[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]""";

    private static IEnumerable<Row> Rows(string json) => JsonRows.Read(new MemoryStream(Encoding.UTF8.GetBytes(json)), "x.json");

    private static IEnumerable<string> Places(string json) => Rows(json).Select(row => row.Place);

    private static string Refusal(string json) => Assert.Throws<RequestException>(() => Rows(json).ToList()).Message;

    [Theory]
    [InlineData("[\n{\"a\": 1},\n{\"a\": 2}\n]", "x.json:2 x.json:3")]
    [InlineData("[{\"a\": 1},\n{\"a\": 2}]", "x.json:1 x.json:2")]
    [InlineData("[{\"a\": 1}, {\"a\": 2}, {\"a\": 3}]", "x.json, row 1 x.json, row 2 x.json, row 3")]
    [InlineData("[{\"a\": 1}]", "x.json:1")]
    [InlineData("[]", "")]
    public void Rows_stand_at_their_lines_or_have_numbers_where_they_share_one(string json, string places) =>
        Assert.Equal(places, string.Join(" ", Places(json)));

    /// <summary>A first try is one conversation, written as a row, as its turns alone, or a list of such.</summary>
    [Theory]
    [InlineData($$"""{"messages": {{Chat}}}""", 1)]
    [InlineData($$"""{"messages": {{Chat}}, "tools": [{"name": "f"}]}""", 1)]
    [InlineData($$"""{"system": "s", "messages": {{Chat}}}""", 1)]
    [InlineData($"\uFEFF{Chat}", 1)]
    [InlineData($"[{Chat}, {Chat}]", 2)]
    public void Conversations_are_rows(string json, int count)
    {
        var rows = JsonRows.Read(Opened.Text(new MemoryStream(Encoding.UTF8.GetBytes(json)), "x.json"), "x.json").ToList();
        Assert.Equal(count, rows.Count);
        Assert.All(rows, row => Assert.True(JsonElement.DeepEquals(JsonElement.Parse(Chat), row.Value.GetProperty("messages"))));
    }

    [Theory]
    [InlineData("""{"instruction": "a", "input": "", "output": "b"}""")]
    [InlineData("""{"instruction": "a", "output": "b", "history": [["c", "d"]]}""")]
    [InlineData("""{"text": "a"}""")]
    [InlineData("""{"conversation": [{"human": "a", "assistant": "b"}]}""")]
    public void One_object_that_is_no_table_is_a_row(string json) => Assert.Equal(json, Assert.Single(Rows(json)).Value.GetRawText());

    [Fact]
    public void Lists_of_equal_length_are_columns() => Assert.Equal(
        ["""{"instruction":"a","output":"b"}""", """{"instruction":"c","output":"d"}"""],
        Rows("""{"instruction": ["a", "c"], "output": ["b", "d"]}""").Select(row => row.Value.GetRawText()));

    [Theory]
    [InlineData("""{"version": 1, "data": [{"instruction": "a", "output": "b"}]}""", "x.json is one object whose 'data' is a list of rows; write that list to a file of its own, as with jq .data x.json > rows.json")]
    [InlineData("""{"train": [{"instruction": "a", "output": "b"}]}""", "x.json is one object whose 'train' is a list of rows; write that list to a file of its own, as with jq .train x.json > rows.json")]
    [InlineData("""{"a": ["x"], "b": ["y", "z"]}""", "x.json: column 'b' has 2 entries, column 'a' has 1; columns must be equally long")]
    [InlineData("{}", "x.json is one object with nothing in it: expected an array of rows, a row, or an object of columns (lists of equal length)")]
    [InlineData("[\n {\"a\": \"b\"},\n]", "x.json:2: not JSON from here on: a comma with nothing between it and the ] that follows; remove it")]
    [InlineData("[{\"a\": \"b\"},\n {\"a\": NaN}]", "x.json:2: not JSON from here on: NaN is what Python writes where a value is missing, and no JSON; write null (pandas: df.to_json, or df.fillna(\"\") before)")]
    [InlineData("[{'a': 'b'}]", "x.json:1: not JSON from here on: a text in single quotes, as Python prints it; JSON has double quotes: json.dumps(row) writes JSON, str(row) and print(row) do not")]
    [InlineData("[{\"a\": 1}\n{\"a\": 2}]", "x.json:2: not JSON from here on: a comma is missing before '{\"a\"'")]
    [InlineData("\n// rows\n[]", "x.json:2: not JSON: a comment, which JSON does not have; remove it")]
    [InlineData("<!DOCTYPE html>", "x.json:1: not JSON: it begins with '<', as a web page does; download the file itself (on the Hub /resolve/ in the place of /blob/)")]
    [InlineData("\"a\"", "x.json begins neither with '[' nor with '{': expected an array of rows, a row, or an object of columns (lists of equal length)")]
    public void Other_files_are_refused_in_the_users_words(string json, string message) => Assert.Equal(message, Refusal(json));
}
