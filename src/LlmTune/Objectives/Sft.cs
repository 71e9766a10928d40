using LlmTune.Native;

namespace LlmTune.Objectives;

/// <summary>
/// Supervised fine-tuning: −Σ log p(token | tokens before it) ÷ number of trained tokens, over the whole step. How a step is cut
/// into micro-batches changes nothing.
/// </summary>
public static class Sft
{
    /// <summary>∂ loss / ∂ log p of every token, (S): −1 / tokens of the step.</summary>
    /// <param name="supervised">S, of this micro-batch.</param>
    /// <param name="tokensOfStep">Trained tokens of all micro-batches of the step.</param>
    public static Tensor Coefficients(long supervised, long tokensOfStep, Device device) =>
        Scalars.Tensor(-1.0 / tokensOfStep, device).expand(supervised);
}
