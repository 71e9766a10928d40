using LlmTune.Cli.Terminal;
using LlmTune.Data;

namespace LlmTune.Cli.Commands;

/// <summary>How far the data are; said of sources that take a while.</summary>
internal sealed class Reading(ProgressView view) : IProgress<DataProgress>
{
    private const int Many = 10_000;

    public void Report(DataProgress value)
    {
        if (value.Rows >= Many) view.Update($"{value.Source}: tokenized, per cent", (long)(100 * value.Share), 100);
    }
}
