using System.Text.Json;
using LlmTune.Data.Formats;
using LlmTune.Io;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data.Formats;

public class CommonPromptTests
{
    [Theory]
    [InlineData("The sky is blue", "The sky is green", "The sky is")]
    [InlineData("abc", "abcdef", "ab")]
    [InlineData("abc", "abc", "ab")]
    [InlineData("line\none", "line\ntwo", "line\n")]
    [InlineData("é猫😀", "é猫😁", "é猫")]
    [InlineData("猫😀", "猫😀!", "猫")]
    [InlineData("yes ", "no", "")]
    public void The_prompt_is_what_both_begin_with(string a, string b, string prompt)
    {
        Assert.Equal(prompt, a[..CommonPrompt.Of([a, b])]);
        Assert.Equal(prompt, a[..CommonPrompt.Of([b, a])]);
        Assert.Equal(prompt, a[..CommonPrompt.Of([a, b, a])]);
    }

    /// <summary>TRL's own results, the same but for one mistake: where texts differ at once and the first ends with a space.</summary>
    [Fact]
    public void It_is_the_prompt_that_TRL_extracts()
    {
        var file = Golden.Roots.Select(root => Path.Combine(root, "trl", "utilities", "extract_prompt.jsonl")).FirstOrDefault(File.Exists);
        if (file is null) Assert.Skip($"{Golden.Variable} has no trl/utilities");
        var (texts, turns) = (0, 0);
        foreach (var (_, row) in JsonLines.Read(file))
        {
            var (chosen, rejected) = (row.GetProperty("input").GetProperty("chosen"), row.GetProperty("input").GetProperty("rejected"));
            if (row.TryGetProperty("error", out _)) continue;   // an empty text, refused by the format
            var expected = row.GetProperty("output").GetProperty("prompt");
            if (chosen.ValueKind == JsonValueKind.String)
            {
                var (a, b) = (chosen.GetString()!, rejected.GetString()!);
                var prompt = a[0] != b[0] && a[^1] == ' ' ? "" : expected.GetString();
                Assert.Equal(prompt, a[..CommonPrompt.Of([a, b])]);
                texts++;
            }
            else
            {
                IReadOnlyList<Message> Turns(JsonElement list) =>
                    [.. list.EnumerateArray().Select(turn => Messages.Turn(turn, RowSettings.Default, "turn"))];
                Assert.Equal(expected.GetArrayLength(), CommonPrompt.Of([Turns(chosen), Turns(rejected)]));
                turns++;
            }
        }
        Assert.Equal((19, 9), (texts, turns));
    }
}
