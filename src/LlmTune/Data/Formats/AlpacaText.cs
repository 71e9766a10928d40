namespace LlmTune.Data.Formats;

/// <summary>
/// Rows of alpaca as one text, in the words that Stanford's Alpaca was trained with (github.com/tatsu-lab/stanford_alpaca) and axolotl
/// takes for <c>type: alpaca</c>: a prompt that depends on whether there is an input, and the answer. It is never found from the rows,
/// which are conversations unless this name is given.
/// </summary>
internal static class AlpacaText
{
    private const string Task = "Below is an instruction that describes a task";
    private const string WithInput = ", paired with an input that provides further context";
    private const string Request = ". Write a response that appropriately completes the request.\n\n";

    public static RowFormat Format { get; } = new(
        "alpaca_text", [new Part("instruction", true), new Part("input", false), new Part("output", true)], _ => false, Read)
    {
        PromptPart = "instruction",
    };

    private static Example.PromptCompletion Read(Fields row)
    {
        var input = row.OptionalText("input");
        var instruction = $"### Instruction:\n{row.Text("instruction")}\n\n";
        var prompt = input is null ? $"{Task}{Request}{instruction}" : $"{Task}{WithInput}{Request}{instruction}### Input:\n{input}\n\n";
        return new Example.PromptCompletion(prompt + "### Response:\n", row.Text("output"));
    }
}
