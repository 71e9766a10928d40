using LlmTune.Native;

namespace LlmTune.Layers;

/// <summary>Cosines and sines of a batch's angles, and the rotation with them.</summary>
public static class Rope
{
    /// <summary>(T, 1, d/2) cos and sin, float32.</summary>
    /// <param name="positions">(T) of any integer type.</param>
    /// <param name="length">Largest position of the batch + 1, for scalings that hang on it.</param>
    public static (Tensor Cos, Tensor Sin) Table(RopeSpec spec, Tensor positions, long length)
    {
        var angles = positions.to(ScalarType.Float32).unsqueeze(1) * spec.Frequencies(length).to(positions.device).unsqueeze(0);
        var (cos, sin) = (angles.cos(), angles.sin());
        if (spec.AttentionFactor != 1) (cos, sin) = (cos * Scalars.Of(spec.AttentionFactor), sin * Scalars.Of(spec.AttentionFactor));
        return (cos.unsqueeze(1), sin.unsqueeze(1));
    }

    /// <summary>
    /// Rotates the pairs (i, i + d/2) of every head, as Hugging Face stores the weights (the paper rotates neighbours):
    /// x (T, H, E) → (T, H, E); dimensions beyond d stay.
    /// </summary>
    /// <param name="cos">(T, 1, d/2) in x's type.</param>
    public static Tensor Apply(Tensor x, Tensor cos, Tensor sin)
    {
        var half = cos.shape[^1];
        var rest = x.shape[^1] - 2 * half;
        var parts = x.split(rest == 0 ? [half, half] : [half, half, rest], -1);
        var first = parts[0] * cos - parts[1] * sin;
        var second = (parts[1] * cos).Plus(parts[0] * sin);
        return cat(rest == 0 ? [first, second] : [first, second, parts[2]], -1);
    }
}
