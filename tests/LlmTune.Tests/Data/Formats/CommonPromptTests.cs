using LlmTune.Data.Formats;

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
}
