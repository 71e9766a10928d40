using LlmTune.Native;

namespace LlmTune.Training;

/// <summary>
/// AdamW (arXiv:1711.05101 algorithm 2, as torch.optim.AdamW has it): p ← p − lr·λ·p, then p ← p − lr · m̂ / (√v̂ + ε) with
/// m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ). State is float32, one fused operation a group.
/// </summary>
public sealed class AdamW(IReadOnlyList<FlatParameters> groups, double beta1, double beta2, double epsilon) : IDisposable
{
    public IReadOnlyList<FlatParameters> Groups { get; } = groups;

    /// <summary>Updates made so far: t.</summary>
    public int Steps { get; private set; }

    /// <summary>Divides all gradients by a number.</summary>
    public void Divide(double number)
    {
        if (number == 1) return;
        using var _ = no_grad();
        using var factor = Scalars.Passing(1 / number);
        foreach (var group in Groups) group.Gradients.mul_(factor);
    }

    /// <summary>
    /// √Σ g² over all gradients; if it is above <paramref name="maxNorm"/> (and that above 0) they are multiplied by
    /// maxNorm / (norm + 1e-6), as torch's clip_grad_norm_ does.
    /// </summary>
    /// <returns>The norm before clipping, a float64 scalar on the device.</returns>
    public Tensor Clip(double maxNorm)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var norm = stack([.. Groups.Select(group => group.GradientNorm())]).norm();
        if (maxNorm > 0)
        {
            var factor = (norm.Plus(Scalars.Of(1e-6)).reciprocal_() * Scalars.Of(maxNorm)).clamp_max_(Scalars.Of(1)).to(ScalarType.Float32);
            foreach (var group in Groups) group.Gradients.mul_(factor);
        }
        return norm.MoveToOuterDisposeScope();
    }

    /// <summary>One update from the gradients, which are then cleared.</summary>
    public void Step(double learningRate)
    {
        using var _ = no_grad();
        Steps++;
        foreach (var group in Groups)
        {
            using var step = Scalars.Tensor(Steps, group.Values.device);
            Dispatcher.FusedAdamW(
                [group.Values], [group.Gradients], [group.FirstMoment], [group.SecondMoment], [step], learningRate, beta1, beta2, group.WeightDecay, epsilon);
            group.Publish();
        }
        ClearGradients();
    }

    /// <summary>Forgets the gradients of a step that is not to be taken.</summary>
    public void ClearGradients()
    {
        using var _ = no_grad();
        foreach (var group in Groups) group.Gradients.zero_();
    }

    public void Dispose()
    {
        foreach (var group in Groups) group.Dispose();
    }
}
