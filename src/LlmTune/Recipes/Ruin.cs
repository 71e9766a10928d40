using LlmTune.Data;
using LlmTune.Evaluation;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Training;

namespace LlmTune.Recipes;

/// <summary>Tells whether training has ruined a model, so that what it trained is of no use to anybody.</summary>
internal static class Ruin
{
    /// <param name="sound">A batch whose loss was finite once; null: there is none.</param>
    /// <returns>What is wrong; null if nothing is.</returns>
    public static string? Of(Decoder model, IEnumerable<FlatParameters> trained, TokenBatch? sound)
    {
        if (!trained.All(IsFinite)) return "the trained weights are not finite";
        if (sound is null) return null;
        double loss;
        try
        {
            loss = HeldOut.Loss(model, [sound]).All.Loss;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return null;   // no room for a batch, or no device any more: that says nothing of the weights
        }
        return double.IsFinite(loss) ? null : $"the model's loss is {loss} where it was finite before";
    }

    /// <summary>The largest and the smallest tell it, without a copy of all.</summary>
    private static bool IsFinite(FlatParameters group)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return double.IsFinite(group.Values.max().Number()) && double.IsFinite(group.Values.min().Number());
    }
}
