using LlmTune.Native;

namespace LlmTune.Objectives;

/// <summary>
/// Supervised fine-tuning: −Σ w · log p(token | tokens before it) ÷ number of trained tokens, over the whole step, w being 1 where the data
/// do not say otherwise. As in ms-swift (loss_scale), the weights do not change what is divided by: a token of weight 0.5 has half the gradient
/// that it has without, and one of weight 0 is not a trained token. How a step is cut into micro-batches changes nothing.
/// </summary>
public static class Sft
{
    /// <summary>∂ loss / ∂ log p of every token, (S).</summary>
    /// <param name="supervised">S, of this micro-batch.</param>
    /// <param name="share">What a token counts: 1 / trained tokens of all micro-batches of the step.</param>
    /// <param name="weights">(S) float32: what each token's loss is multiplied by; null where each counts once.</param>
    public static Tensor Coefficients(long supervised, double share, Device device, Tensor? weights = null)
    {
        var coefficients = Scalars.Tensor(-share, device).expand(supervised);
        return weights is null ? coefficients : coefficients * weights;
    }
}
