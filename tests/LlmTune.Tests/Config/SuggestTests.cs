using LlmTune.Config;

namespace LlmTune.Tests.Config;

public class SuggestTests
{
    [Theory]
    [InlineData("", "abc", 3)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("lroa", "lora", 1)]
    [InlineData("same", "same", 0)]
    public void Distance(string a, string b, int distance)
    {
        Assert.Equal(distance, Suggest.Distance(a, b));
        Assert.Equal(distance, Suggest.Distance(b, a));
    }

    [Theory]
    [InlineData("learnig_rate", "learning_rate")]
    [InlineData("Seed", "seed")]
    [InlineData("x", null)]
    [InlineData("completely_different", null)]
    [InlineData("learning", "learning_rate")]
    [InlineData("lea", null)]
    public void Nearest(string word, string? expected) => Assert.Equal(expected, Suggest.Nearest(word, ["learning_rate", "seed", "r"]));
}
