using LlmTune.Native;

namespace LlmTune.Objectives;

/// <summary>
/// Supervised fine-tuning: −Σ log p(token | tokens before it) ÷ number of trained tokens, over the whole step. How a step is cut
/// into micro-batches changes nothing.
/// </summary>
public static class Sft
{
    /// <summary>∂ loss / ∂ log p of every token, (S).</summary>
    /// <param name="supervised">S, of this micro-batch.</param>
    /// <param name="share">What a token counts: 1 / trained tokens of all micro-batches of the step.</param>
    public static Tensor Coefficients(long supervised, double share, Device device) => Scalars.Tensor(-share, device).expand(supervised);
}
