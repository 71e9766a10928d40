using System.Text;
using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Tests.Io;

/// <summary>What Python's json module writes and no JSON reader takes.</summary>
public class PythonJsonTests
{
    [Theory]
    [InlineData("""{ "a": NaN, "b": [Infinity, -Infinity, 1], "c": "NaN \" Infinity \\" }""", """{"a":null,"b":[1e999,-1e999,1],"c":"NaN \" Infinity \\"}""")]
    [InlineData("NaN", "null")]
    [InlineData("""{ "NaN": "x", "b": 2 }""", """{"NaN":"x","b":2}""")]
    [InlineData("\uFEFF{ \"a\": 1 }", """{"a":1}""")]
    [InlineData("\uFEFF{ \"a\": -Infinity }", """{"a":-1e999}""")]
    public void Its_words_for_numbers_and_a_mark_of_the_byte_order_are_read(string text, string json)
    {
        using var expected = JsonDocument.Parse(json);
        Assert.True(JsonElement.DeepEquals(expected.RootElement, JsonFile.Parse(Encoding.UTF8.GetBytes(text), "x")));
    }

    [Theory]
    [InlineData("""{ "a": Nan }""")]
    [InlineData("""{ "a": Infinit }""")]
    [InlineData("""{ "a": NaN, 'b': 1 }""")]
    [InlineData("{ 'a': 1 }")]
    public void What_Python_would_not_read_either_is_no_JSON(string text) =>
        Assert.Throws<RequestException>(() => JsonFile.Parse(Encoding.UTF8.GetBytes(text), "x"));
}
