using System.Text;
using LlmTune.Data.Sources;

namespace LlmTune.Tests.Data.Sources;

/// <summary>Lines of a .jsonl file.</summary>
public class RowParserTests
{
    private static Row Parse(string line) => RowParser.Parse(Encoding.UTF8.GetBytes(line), "x.jsonl", 3);

    [Theory]
    [InlineData("""{"a": "é", "b": NaN}""", "is not JSON: character 17: NaN is what Python writes where a value is missing, and no JSON; write null (pandas: df.to_json, or df.fillna(\"\") before)")]
    [InlineData("""{'a': 'b', 'c': None}""", "is not JSON: character 2: a text in single quotes, as Python prints it; JSON has double quotes: json.dumps(row) writes JSON, str(row) and print(row) do not")]
    [InlineData("""{"a": 1},""", "is not JSON: character 9: a comma follows the value; remove it")]
    [InlineData("""{"a": 1, "b": {"c": 2, "c": 3}}""", "names 'c' twice; of two values only one can be meant")]
    [InlineData("{", "ends within an object: a .jsonl file has one object a line; name a file of indented objects .json")]
    [InlineData("[", "ends within a list: a .jsonl file has one object a line; name a file of one list of rows .json")]
    [InlineData("[1, 2]", "is a list; a row is an object: {\"column\": …}")]
    public void What_is_no_row_says_why(string line, string problem) => Assert.Equal(problem, Parse(line).Problem);

    [Fact]
    public void A_byte_order_mark_of_joined_files_is_passed_over() => Assert.Null(Parse("\uFEFF{\"a\": 1}").Problem);

    [Fact]
    public void A_line_of_turns_is_a_conversation() => Assert.Equal(
        """{"messages":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}""", Parse("""[{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]""").Value.GetRawText());
}
