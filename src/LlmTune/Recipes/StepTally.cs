using LlmTune.Data;
using LlmTune.Training;

namespace LlmTune.Recipes;

/// <summary>
/// Counts the steps of a run: what was applied since the last line of the log, and in all what was skipped. A step that was skipped
/// (its loss or gradients were not finite) counts its tokens, which were computed, and nothing else.
/// </summary>
internal sealed class StepTally(RealisedShares realised)
{
    private double _loss;
    private double? _norm;
    private long _supervised, _windowTokens;
    private int _windowSkipped;

    /// <summary>Steps that were skipped.</summary>
    public int Skipped { get; private set; }

    /// <summary>Steps that were skipped since the last that was not.</summary>
    public int SkippedInARow { get; private set; }

    /// <summary>Tokens computed.</summary>
    public long Tokens { get; private set; }

    /// <summary>The last batch that had a finite loss: what a model that has become none of use is told by. Null before the first.</summary>
    public TokenBatch? Sound { get; private set; }

    public void Add(StepBatches step, StepResult result)
    {
        Tokens += result.Tokens;
        _windowTokens += result.Tokens;
        if (!result.IsFinite)
        {
            (Skipped, SkippedInARow, _windowSkipped) = (Skipped + 1, SkippedInARow + 1, _windowSkipped + 1);
            return;
        }
        SkippedInARow = 0;
        _norm = result.GradientNorm;
        _loss += result.Loss * result.Supervised;
        _supervised += result.Supervised;
        realised.Add(step.Shares, result.Sources);
        Sound = step.Micro.FirstOrDefault(batch => batch.Supervised > 0) ?? Sound;
    }

    /// <summary>What the steps since the last call came to, and begins anew.</summary>
    public StepWindow Take()
    {
        var window = new StepWindow(_supervised > 0 ? _loss / _supervised : null, realised.TakeLosses(), _norm, _windowTokens, _windowSkipped);
        (_loss, _norm, _supervised, _windowTokens, _windowSkipped) = (0, null, 0, 0, 0);
        return window;
    }
}

/// <summary>The steps between two lines of the log.</summary>
/// <param name="Loss">Per trained token of the steps that were applied; null where none was.</param>
/// <param name="SourceLosses">The same of each source that had tokens, where there are several sources.</param>
/// <param name="GradientNorm">Of the last step that was applied; null where none was.</param>
/// <param name="Tokens">Tokens computed.</param>
/// <param name="Skipped">Steps that were skipped.</param>
internal readonly record struct StepWindow(
    double? Loss, IReadOnlyList<(string Label, double Loss)> SourceLosses, double? GradientNorm, long Tokens, int Skipped);
