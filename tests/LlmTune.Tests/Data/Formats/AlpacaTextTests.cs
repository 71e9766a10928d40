using LlmTune.Data;
using LlmTune.Data.Formats;

namespace LlmTune.Tests.Data.Formats;

public class AlpacaTextTests
{
    private static Example.PromptCompletion Read(string row, RowSettings? settings = null) =>
        (Example.PromptCompletion)AlpacaText.Format.Read(new Fields(System.Text.Json.JsonElement.Parse(row), AlpacaText.Format, settings ?? new RowSettings()));

    /// <summary>The two prompts of Stanford's Alpaca, as its training script has them.</summary>
    [Fact]
    public void The_prompt_depends_on_the_input()
    {
        Assert.Equal(new Example.PromptCompletion(
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Response:\n", "3"),
            Read("""{ "instruction": "Add.", "input": "", "output": "3" }"""));
        Assert.Equal(new Example.PromptCompletion(
            "Below is an instruction that describes a task, paired with an input that provides further context. "
            + "Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n1, 2\n\n### Response:\n", "3"),
            Read("""{ "instruction": "Add.", "input": "1, 2", "output": "3" }"""));
    }

    [Fact]
    public void Rows_of_alpaca_are_conversations_unless_it_is_named()
    {
        var rows = new[] { System.Text.Json.JsonElement.Parse("""{ "instruction": "a", "output": "b" }""") };
        Assert.Equal("alpaca", Detection.Find(rows, new RowSettings(), "x").Name);
        Assert.Same(AlpacaText.Format, RowFormat.Named("alpaca_text"));
    }
}
