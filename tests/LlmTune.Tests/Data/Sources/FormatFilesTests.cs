using System.Text.Json;
using LlmTune.Data;
using LlmTune.Data.Formats;
using Serilog.Core;

namespace LlmTune.Tests.Data.Sources;

/// <summary>One data set in every file format, and damaged files, with what is expected of each beside them.</summary>
public class FormatFilesTests
{
    private static IEnumerable<Example> Examples(string path)
    {
        using var source = Source.Open(new SourceConfig { Path = path }, RowSettings.Default);
        foreach (var row in source.Rows())
        {
            Assert.Null(row.Problem);
            yield return source.Format.Read(new Fields(row.Value, source.Format, source.Settings));
        }
    }

    private static (string, string?)[] Turns(Example example) =>
        [.. Assert.IsType<Example.Chat>(example).Conversation.Messages.Select(m => (m.Role, m.Content))];

    private static IEnumerable<JsonElement> Listed(string path)
    {
        using var list = JsonDocument.Parse(File.ReadAllText(path));
        return [.. list.RootElement.EnumerateArray().Select(e => e.Clone())];
    }

    /// <summary>The files beside the tests, and those of LLMTUNE_DATA where it is set.</summary>
    public static TheoryData<string> Folders()
    {
        var folders = new TheoryData<string> { Path.Combine(AppContext.BaseDirectory, "golden", "formats") };
        if (Environment.GetEnvironmentVariable(Material.Variable) is { Length: > 0 } root) folders.Add(Path.Combine(root, "formats"));
        return folders;
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Every_file_format_gives_the_same_conversations(string folder)
    {
        var expected = Listed(Path.Combine(folder, "alpaca.json")).Select(row =>
        {
            var (instruction, input) = (row.GetProperty("instruction").GetString()!, row.GetProperty("input").GetString()!);
            var prompt = instruction.Length == 0 ? input : input.Length == 0 ? instruction : $"{instruction}\n{input}";
            return new[] { ("user", prompt), ("assistant", row.GetProperty("output").GetString()) };
        }).ToList();
        Assert.Equal(40, expected.Count);
        var files = Listed(Path.Combine(folder, "expected.json")).Select(e => e.GetProperty("file").GetString()!).ToList();
        Assert.Equal(43, files.Count);
        foreach (var file in files.Where(f => !f.StartsWith("folder/", StringComparison.Ordinal)).Append("folder").Append("folder/*.jsonl"))
        {
            var got = Examples(Path.Combine(folder, file)).Select(Turns).ToList();
            Assert.True(expected.Count == got.Count, $"{file}: {got.Count} rows");
            for (var i = 0; i < got.Count; i++)
                Assert.True(expected[i].AsSpan().SequenceEqual(got[i]), $"{file}, row {i}: expected {string.Join(" | ", expected[i])}, got {string.Join(" | ", got[i])}");
        }
    }

    public static TheoryData<string, string> Broken()
    {
        var data = new TheoryData<string, string>();
        foreach (var folder in Folders().Select(row => Path.Combine(row.Data, "broken")))
        {
            foreach (var entry in Listed(Path.Combine(folder, "expected.json"))) data.Add(folder, entry.GetProperty("file").GetString()!);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public void A_damaged_file_is_refused_or_its_bad_rows_are_counted(string folder, string file)
    {
        var entry = Listed(Path.Combine(folder, "expected.json")).Single(e => e.GetProperty("file").GetString() == file);
        var (outcome, rows) = (entry.GetProperty("outcome").GetString(), entry.GetProperty("rows").GetInt32());
        var lines = entry.GetProperty("error_lines").EnumerateArray().Select(l => l.GetInt32()).ToArray();
        var path = Path.Combine(folder, file);

        var failed = Read(path, OnError.Fail, out var strict);
        var skipped = Read(path, OnError.Skip, out var lenient);
        switch (outcome)
        {
            case "skip":
                Assert.Contains($"{path}:{lines[0]}: ", Assert.IsType<RequestException>(failed).Message, StringComparison.Ordinal);
                Assert.Null(skipped);
                Assert.Equal(rows, lenient!.Rows - lenient.Malformed.Count);
                Assert.Equal(lines.Take(Tally.Shown).Select(l => $"{path}:{l}"), lenient.Malformed.First.Select(m => m[..m.IndexOf(": ", StringComparison.Ordinal)]));
                Assert.Equal(lines.Length, lenient.Malformed.Count);
                break;
            case "refuse":
                AssertRefused(failed, path);
                AssertRefused(skipped, path);
                break;
            case "fine":
                Assert.Null(failed);
                Assert.Equal((rows, 0), (strict!.Rows, strict.Malformed.Count));
                break;
            case "either":
                if (failed is not null)
                    AssertRefused(failed, path);
                else
                    Assert.Equal((rows, 0), (strict!.Rows, strict.Malformed.Count));
                break;
            default:
                Assert.Fail($"the outcome '{outcome}' is not understood");
                break;
        }
    }

    private static void AssertRefused(Exception? exception, string path)
    {
        Assert.True(exception is RequestException or RunException, exception?.ToString() ?? $"{path} was not refused");
        Assert.Contains(Path.GetFileName(path), exception!.Message, StringComparison.Ordinal);
    }

    private static Exception? Read(string path, OnError onError, out SourceReport? report)
    {
        report = null;
        try
        {
            var config = new DataConfig { Sources = [new SourceConfig { Path = path }], MaxLength = 1 << 22, OnError = onError };
            using var corpus = Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters }, Logger.None, TestContext.Current.CancellationToken);
            report = corpus.Report.Sources[0];
            return null;
        }
        catch (Exception e) when (e is RequestException or RunException)
        {
            return e;
        }
    }
}
