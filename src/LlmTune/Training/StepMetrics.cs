using System.Text.Json.Nodes;

namespace LlmTune.Training;

/// <summary>Where a run stands after some steps; its JSON has the names that transformers' Trainer logs.</summary>
public sealed record StepMetrics
{
    public required int Step { get; init; }

    public required int TotalSteps { get; init; }

    /// <summary>Epochs seen, with the fraction of the running one.</summary>
    public required double Epoch { get; init; }

    /// <summary>Per trained token, over the steps since the last line that were applied; null where none was.</summary>
    public required double? Loss { get; init; }

    /// <summary>The same of each source that had tokens, where there are several sources.</summary>
    public IReadOnlyList<(string Label, double Loss)> SourceLosses { get; init; } = [];

    public required double LearningRate { get; init; }

    /// <summary>Of the last step that was applied, before clipping; null where none was since the last line.</summary>
    public required double? GradientNorm { get; init; }

    /// <summary>Tokens seen since the run began.</summary>
    public required long Tokens { get; init; }

    /// <summary>Steps since the last line that were skipped: their loss or gradients were not finite.</summary>
    public int Skipped { get; init; }

    public required double TokensPerSecond { get; init; }

    public TimeSpan? TimeLeft { get; init; }

    /// <summary>Bytes in use.</summary>
    public long Memory { get; init; }

    /// <summary>The last held-out loss, if there was one.</summary>
    public double? EvalLoss { get; init; }

    public JsonObject ToJson()
    {
        var line = new JsonObject
        {
            ["step"] = Step,
            ["epoch"] = Math.Round(Epoch, 6),
            ["loss"] = Loss,
            ["learning_rate"] = LearningRate,
            ["grad_norm"] = GradientNorm,
            ["num_tokens"] = Tokens,
            ["tokens_per_second"] = Math.Round(TokensPerSecond, 1),
        };
        if (Skipped > 0) line["skipped_steps"] = Skipped;
        foreach (var (label, loss) in SourceLosses) line[$"loss/{label}"] = loss;
        return line;
    }
}
