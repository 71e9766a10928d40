using System.Text;
using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Tests.Io;

public class JsonMistakeTests
{
    private static JsonMistake Find(string json) => JsonMistake.Find(Encoding.UTF8.GetBytes(json));

    [Theory]
    [InlineData("""{"a": NaN}""", 6, "NaN is what Python writes where a value is missing, and no JSON; write null (pandas: df.to_json, or df.fillna(\"\") before)")]
    [InlineData("""[1, -Infinity]""", 4, "-Infinity is a number of Python's, and no JSON; write null or a number")]
    [InlineData("""{'a': 'b'}""", 1, "a text in single quotes, as Python prints it; JSON has double quotes: json.dumps(row) writes JSON, str(row) and print(row) do not")]
    [InlineData("""{"a": 'it is'}""", 6, "a text in single quotes, as Python prints it; JSON has double quotes: json.dumps(row) writes JSON, str(row) and print(row) do not")]
    [InlineData("""{"a": None}""", 6, "None is Python, in JSON it is null; json.dumps(row) writes JSON, str(row) and print(row) do not")]
    [InlineData("""{"a": True}""", 6, "True is Python, in JSON it is true; json.dumps(row) writes JSON, str(row) and print(row) do not")]
    [InlineData("""{"a": undefined}""", 6, "undefined is JavaScript, in JSON it is null")]
    [InlineData("""{"a": 1,}""", 7, "a comma with nothing between it and the } that follows; remove it")]
    [InlineData("""[1, 2, ]""", 5, "a comma with nothing between it and the ] that follows; remove it")]
    [InlineData("""{"a": 1},""", 8, "a comma follows the value; remove it")]
    [InlineData("""{"a": 1} {"b": 2}""", 9, "'{\"b\"' follows the end of the value")]
    [InlineData("""{"a": 1} // one""", 9, "'//' follows the end of the value")]
    [InlineData("""{"a": 1, // one""", 9, "a comment, which JSON does not have; remove it")]
    [InlineData("# rows", 0, "a comment, which JSON does not have; remove it")]
    [InlineData("""{"a" /* b */: 1}""", 5, "a comment, which JSON does not have; remove it")]
    [InlineData("""{a: 1}""", 1, "the name 'a' stands without double quotes")]
    [InlineData("""{"a": b}""", 6, "'b' is no value of JSON; a text stands in double quotes")]
    [InlineData("""{"a": “b”}""", 6, "a quote as word processors set it; JSON has \"")]
    [InlineData("""{"a" 1}""", 5, "a colon is missing before '1'")]
    [InlineData("""{"a": 1 "b": 2}""", 8, "a comma is missing before '\"b\"'")]
    [InlineData("""["a" "b"]""", 5, "a comma is missing before '\"b\"'")]
    [InlineData("""{"a": }""", 6, "a value is missing before '}'")]
    [InlineData("""{"a": [1, 2}""", 11, "a comma is missing before '}'")]
    [InlineData("{\"a\": \"b\nc\"}", 8, "a line break stands within a text; there it is written \\n (or is a quote missing before it?)")]
    [InlineData("{\"a\": \"b\tc\"}", 8, "a tab stands within a text; there it is written \\t")]
    [InlineData("{\"a\": \"b\u0001c\"}", 8, "a control character (0x01) stands within a text")]
    [InlineData("""{"a": "C:\data"}""", 9, "JSON has no escape \\d; a backslash itself is written \\\\")]
    [InlineData("""{"a": "\u12g4"}""", 7, "the escape \\u is followed by four digits (0 to 9, a to f)")]
    [InlineData("""{"a": 01}""", 6, "'01' is no number as JSON writes it")]
    [InlineData("""[+1]""", 1, "'+1' is no number as JSON writes it")]
    [InlineData("""[.5]""", 1, "'.5' is no number as JSON writes it")]
    [InlineData("""{"a": "he said "yes" to it"}""", 16, "a comma is missing before 'yes\"' (a quote within a text is written \\\")")]
    [InlineData("""[1., 2]""", 1, "'1.' is no number as JSON writes it")]
    [InlineData("""{"a": "b""", 6, "a text begins here that does not end; is a quote missing, or is the file cut off?")]
    [InlineData("""{"a": """, 6, "it ends within a value; is the file cut off?")]
    [InlineData("""{"a": 1""", 7, "it ends within an object; is the file cut off?")]
    [InlineData("""[{"a": 1}""", 9, "it ends within a list; is the file cut off?")]
    [InlineData("../../blobs/0123abc", 0, "it holds a path, as a symbolic link does that was copied as text; put the file there that it names")]
    [InlineData("<!DOCTYPE html>", 0, "it begins with '<', as a web page does; download the file itself (on the Hub /resolve/ in the place of /blob/)")]
    public void The_first_mistake_is_said_in_the_users_words(string json, int offset, string what)
    {
        Assert.ThrowsAny<JsonException>(() => JsonElement.Parse(json));
        Assert.Equal(new JsonMistake(offset, what), Find(json));
    }

    [Theory]
    [InlineData("""{"a": NaN}, {"b": 1}]""", false, 6)]
    [InlineData(""", {"a": 1}, ]""", true, 10)]
    [InlineData(""" {"a": 1} {"b": 1}]""", false, 10)]
    [InlineData(""" {"a": 1}]""", true, 1)]
    public void The_same_of_a_text_within_a_list(string json, bool behindValue, int offset) =>
        Assert.Equal(offset, JsonMistake.FindInList(Encoding.UTF8.GetBytes(json), behindValue).Offset);

    /// <summary>Whatever byte of a good text is changed: where .NET's reader refuses it, a mistake is found at or before the end, with words.</summary>
    [Fact]
    public void A_damaged_text_always_has_a_mistake_that_is_found()
    {
        const string Good = """ {"a": [1, -2.5e+3, "x\n\u00e9ü", true, null], "b": {"c": {}, "d": []}} """;
        var damaged = 0;
        var bytes = Encoding.UTF8.GetBytes(Good);
        Assert.Equal(bytes.Length, JsonMistake.Find(bytes).Offset);
        for (var i = 0; i < bytes.Length; i++)
        {
            foreach (var other in "{}[],:\"'\\0-.eN#/ t\n"u8)
            {
                var changed = bytes.ToArray();
                changed[i] = other;
                if (!System.Text.Unicode.Utf8.IsValid(changed)) continue;
                var mistake = JsonMistake.Find(changed);
                var refused = !IsJson(changed);
                Assert.True(refused == mistake.Offset < changed.Length || (refused && mistake.What.Contains("ends", StringComparison.Ordinal)),
                    $"{Encoding.UTF8.GetString(changed)}: {mistake}");
                damaged += refused ? 1 : 0;
            }
        }
        Assert.True(damaged > 500, $"{damaged}");
    }

    private static bool IsJson(byte[] bytes)
    {
        try
        {
            JsonElement.Parse(bytes);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>What ends an object is not in the file: its size is what is too deep.</summary>
    [Fact]
    public void Nesting_has_an_end()
    {
        var deep = new string('[', 80) + new string(']', 80);
        Assert.Equal("it is nested deeper than 64 levels", Find(deep).What);
        Assert.Equal(160, Find(new string('[', 64) + new string(']', 64) + new string(' ', 32)).Offset);
    }
}
