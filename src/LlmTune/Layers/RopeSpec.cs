using LlmTune.Native;

namespace LlmTune.Layers;

/// <summary>
/// Rotary position embedding (arXiv:2104.09864 eq. 34) and how its frequencies are scaled for longer contexts.
/// Rotated dimensions d, frequencies f_i = θ^(−2i/d), angle = position · f_i.
/// </summary>
/// <param name="Theta">Base θ.</param>
/// <param name="Dimensions">d: how many dimensions of a head are rotated.</param>
public record RopeSpec(double Theta, int Dimensions)
{
    /// <summary>Whether frequencies hang on the length of the batch.</summary>
    public virtual bool DependsOnLength => false;

    /// <summary>What cos and sin are multiplied by.</summary>
    public virtual double AttentionFactor => 1;

    /// <summary>(d/2) float32 frequencies for a batch whose largest position is <paramref name="length"/> − 1.</summary>
    public virtual Tensor Frequencies(long length) => Plain(Theta);

    /// <summary>Computed in float32 with the operations of transformers, so that angles agree at large positions too.</summary>
    protected Tensor Plain(double theta) =>
        pow(tensor([(float)theta]), tensor(Enumerable.Range(0, Dimensions / 2).Select(i => 2f * i).ToArray()).div(Scalars.Of(Dimensions))).reciprocal();
}

/// <summary>Position interpolation (arXiv:2306.15595): f_i / factor.</summary>
public sealed record LinearRope(double Theta, int Dimensions, double Factor) : RopeSpec(Theta, Dimensions)
{
    public override Tensor Frequencies(long length) => Plain(Theta) / Scalars.Of(Factor);
}

/// <summary>
/// Dynamic NTK scaling as transformers has it: beyond M positions the base grows with the length L,
/// θ' = θ (factor · L/M − (factor − 1))^(d/(d−2)).
/// </summary>
public sealed record DynamicRope(double Theta, int Dimensions, double Factor, long Original) : RopeSpec(Theta, Dimensions)
{
    public override bool DependsOnLength => true;

    public override Tensor Frequencies(long length) => length <= Original
        ? Plain(Theta)
        : Plain(Theta * Math.Pow(Factor * length / Original - (Factor - 1), Dimensions / (Dimensions - 2.0)));
}

/// <summary>
/// Llama 3.1's scaling: with wavelength w = 2π/f, f stays where w &lt; original/high, becomes f/factor where w &gt; original/low,
/// and between them (1 − s) f/factor + s f with s = (original/w − low)/(high − low).
/// </summary>
public sealed record Llama3Rope(double Theta, int Dimensions, double Factor, double LowFrequency, double HighFrequency, long Original)
    : RopeSpec(Theta, Dimensions)
{
    public override Tensor Frequencies(long length)
    {
        var f = Plain(Theta);
        var wavelength = Scalars.Of(2 * Math.PI) / f;
        var smooth = (Scalars.Of(Original) / wavelength - Scalars.Of(LowFrequency)) / Scalars.Of(HighFrequency - LowFrequency);
        var between = ((ones_like(smooth) - smooth) * f / Scalars.Of(Factor)).Plus(smooth * f);
        var (longest, shortest) = (Scalars.Of(Original / LowFrequency), Scalars.Of(Original / HighFrequency));
        var scaled = where(wavelength.gt(longest), f / Scalars.Of(Factor), f);
        return where(wavelength.ge(shortest).logical_and(wavelength.le(longest)), between, scaled);
    }
}

/// <summary>
/// YaRN (arXiv:2309.00071 eq. 17 to 23): dimensions that turn often keep their frequency, those that turn seldom are interpolated,
/// with a ramp between; cos and sin are multiplied by an attention factor.
/// </summary>
public sealed record YarnRope(double Theta, int Dimensions, double Factor, long Original) : RopeSpec(Theta, Dimensions)
{
    /// <summary>Turns over the original length above which a dimension is left as it is.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>Turns below which it is interpolated.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>Whether the ends of the ramp are rounded to whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>Given outright.</summary>
    public double? Attention { get; init; }

    public double? MScale { get; init; }

    public double? MScaleAllDimensions { get; init; }

    public override double AttentionFactor =>
        Attention ?? (MScale is { } m && MScaleAllDimensions is { } all and not 0 && m != 0 ? Magnitude(m) / Magnitude(all) : Magnitude(1));

    public override Tensor Frequencies(long length)
    {
        var f = Plain(Theta);
        var low = DimensionOf(BetaFast);
        var high = DimensionOf(BetaSlow);
        if (Truncate) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        low = Math.Max(low, 0);
        high = Math.Min(high, Dimensions - 1);
        if (low == high) high += 0.001;
        var dimensions = tensor(Enumerable.Range(0, Dimensions / 2).Select(i => (float)i).ToArray());
        var ramp = ((dimensions - Scalars.Of(low)) / Scalars.Of(high - low)).clamp(Scalars.Of(0), Scalars.Of(1));
        return (f * (ones_like(ramp) - ramp)).Plus(f / Scalars.Of(Factor) * ramp);
    }

    private double DimensionOf(double turns) => Dimensions * Math.Log(Original / (turns * 2 * Math.PI)) / (2 * Math.Log(Theta));

    private double Magnitude(double scale) => Factor <= 1 ? 1 : 0.1 * scale * Math.Log(Factor) + 1;
}
