namespace LlmTune.Tests;

public sealed class GoldenSummaryTests
{
    [Fact]
    public void Areas_are_listed_with_their_counts() => Assert.Equal(
        "models: 18 run, 31 skipped\n  peft: 2 run, 0 skipped",
        GoldenSummary.Text(new Dictionary<string, (int, int)> { ["peft"] = (2, 0), ["models"] = (18, 31) }));
}
