using System.Text;
using LlmTune.Data.Sources;

namespace LlmTune.Tests.Data.Sources;

public class JsonRowsTests
{
    private static IEnumerable<string> Places(string json) => JsonRows.Read(new MemoryStream(Encoding.UTF8.GetBytes(json)), "x.json").Select(row => row.Place);

    [Theory]
    [InlineData("[\n{\"a\": 1},\n{\"a\": 2}\n]", "x.json:2 x.json:3")]
    [InlineData("[{\"a\": 1},\n{\"a\": 2}]", "x.json:1 x.json:2")]
    [InlineData("[{\"a\": 1}, {\"a\": 2}, {\"a\": 3}]", "x.json, row 1 x.json, row 2 x.json, row 3")]
    [InlineData("[{\"a\": 1}]", "x.json:1")]
    [InlineData("[]", "")]
    public void Rows_stand_at_their_lines_or_have_numbers_where_they_share_one(string json, string places) =>
        Assert.Equal(places, string.Join(" ", Places(json)));
}
