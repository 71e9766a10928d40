using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using LlmTune.Io;

namespace LlmTune.Tests.Io;

public sealed class JsonLinesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static List<(int, string)> Rows(string text) =>
        [.. JsonLines.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)), "rows.jsonl").Select(row => (row.Line, row.Value.GetRawText()))];

    private static string Error(string text) => Assert.Throws<RequestException>(() => Rows(text)).Message;

    [Fact]
    public void Rows_have_their_line_numbers() =>
        Assert.Equal([(1, """{"a":1}"""), (3, "2"), (5, "[3]")], Rows("{\"a\":1}\n\n 2\t\r\n \r\n[3]"));

    [Fact]
    public void A_byte_order_mark_is_passed_over()
    {
        Assert.Equal([(1, "1"), (2, "2")], Rows("\uFEFF1\n2\n"));
        Assert.Empty(Rows("\uFEFF"));
        Assert.Empty(Rows(""));
    }

    [Theory]
    [InlineData("""{"a": "\ud83d"}""", "\uFFFD")]
    [InlineData("""{"a": "\ude00x\uD83d"}""", "\uFFFDx\uFFFD")]
    [InlineData("""{"a": "\ud83d\ud83d\ude00"}""", "\uFFFD😀")]
    [InlineData("""{"a": "\\ud83d \u00e9"}""", "\\ud83d é")]
    [InlineData("""{"a": "\\\ud83d"}""", "\\\uFFFD")]
    [InlineData("""{"a": "\ud83d\n"}""", "\uFFFD\n")]
    public void Half_surrogate_pairs_become_the_replacement_character(string json, string text) =>
        Assert.Equal(text, JsonLines.Read(new MemoryStream(Encoding.UTF8.GetBytes(json)), "a").Single().Value.GetProperty("a").GetString());

    [Fact]
    public void Mistakes_have_file_line_and_column()
    {
        Assert.Equal("rows.jsonl:2:6: not JSON: 'x' is no value of JSON; a text stands in double quotes", Error("1\n{\"é\":x}"));
        Assert.StartsWith("rows.jsonl:1:7: not JSON: NaN is what Python writes where a value is missing", Error("{\"a\": NaN}"));
        Assert.StartsWith("rows.jsonl:1:2: not JSON: -Infinity is a number of Python's", Error("[-Infinity]"));
        Assert.StartsWith("rows.jsonl:1:3: not JSON: '2' follows the end of the value", Error("1 2"));
        Assert.StartsWith("rows.jsonl:3:1: not JSON: ", Error("1\n2\n}"));
        Assert.StartsWith("rows.jsonl:1:9: not JSON: ", Error("{\"a\": [1"));
        var notUtf8 = Assert.Throws<RequestException>(() => JsonLines.Read(new MemoryStream([(byte)'"', 0xE9, (byte)'"']), "latin1").ToList()).Message;
        Assert.Equal("latin1:1:2: not UTF-8 text (byte 0xE9); save the file as UTF-8", notUtf8);
    }

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Equal($"{_folder["x"]} does not exist", Assert.Throws<RequestException>(() => JsonLines.Read(_folder["x"]).ToList()).Message);

    [Fact]
    public void Rows_of_any_length_are_read() =>
        Gen.Int[0, 200_000].Array[0, 6].Sample(lengths =>
        {
            var rows = lengths.Select(length => '"' + new string('x', length) + '"').ToList();
            Assert.Equal(rows.Select((row, i) => (i + 1, row)), Rows(string.Join('\n', rows)));
        }, iter: 50, threads: 1);

    [Fact]
    public void What_is_appended_is_read_again()
    {
        var path = _folder["logs/metrics.jsonl"];
        using (var writer = JsonLinesWriter.Append(path))
        {
            writer.Write(new JsonObject { ["step"] = 1, ["loss"] = 0.1, ["text"] = "é <" });
            Assert.Equal("{\"step\":1,\"loss\":0.1,\"text\":\"é <\"}\n", File.ReadAllText(path));   // it is there at once
        }
        File.AppendAllText(path, "{\"step\":2,\"lo");   // killed while writing
        using (var writer = JsonLinesWriter.Append(path)) writer.Write(new JsonObject { ["step"] = 2, ["loss"] = double.NaN });
        Assert.Equal([1, 2], JsonLines.Read(path).Select(row => row.Value.GetProperty("step").GetInt32()));
        Assert.Equal("NaN", JsonLines.Read(path).Last().Value.GetProperty("loss").GetString());
    }

    [Fact]
    public void A_file_that_is_one_half_line_begins_anew()
    {
        var path = _folder["metrics.jsonl"];
        File.WriteAllText(path, new string('x', 10_000));
        using (var writer = JsonLinesWriter.Append(path)) writer.Write(new JsonObject { ["step"] = 1 });
        Assert.Equal("{\"step\":1}\n", File.ReadAllText(path));
    }
}
