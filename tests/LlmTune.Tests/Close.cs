namespace LlmTune.Tests;

/// <summary>Comparisons of numbers: bounds are relative to the largest magnitude that is expected, every element is compared.</summary>
public static class Close
{
    /// <summary>The bound for a type, relative to the largest expected magnitude.</summary>
    public static double Bound(ScalarType type) => type switch
    {
        ScalarType.Float64 => 1e-12,
        ScalarType.Float32 => 1e-5,
        ScalarType.Float16 => 2e-3,
        ScalarType.BFloat16 => 2e-2,
        _ => 0,
    };

    /// <param name="floor">What differences are held against if everything expected is smaller (gradients that are zero by mathematics).</param>
    public static void Assert(Tensor expected, Tensor actual, string what, double? bound = null, double floor = 1e-30)
    {
        using var scope = NewDisposeScope();
        if (!expected.shape.SequenceEqual(actual.shape))
            Xunit.Assert.Fail($"{what}: expected shape ({string.Join(", ", expected.shape)}), got ({string.Join(", ", actual.shape)})");
        if (expected.numel() == 0) return;
        var limit = bound ?? Bound(expected.dtype);
        var want = expected.detach().cpu().to(ScalarType.Float64);
        var got = actual.detach().cpu().to(ScalarType.Float64);
        var finite = want.isfinite();
        if (!finite.all().ToBoolean())
        {
            Xunit.Assert.True(want.masked_fill(finite, 0).Equals(got.masked_fill(finite, 0)), $"{what}: infinities differ");
            want = want.masked_fill(~finite, 0);
            got = got.masked_fill(~finite, 0);
        }
        if (got.isnan().any().ToBoolean()) Xunit.Assert.Fail($"{what}: NaN");
        var scale = Math.Max(want.abs().max().ToDouble(), floor);
        var difference = (want - got).abs();
        var worst = difference.max().ToDouble();
        if (worst <= limit * scale) return;
        var index = difference.argmax().ToInt64();
        Xunit.Assert.Fail(
            $"{what}: largest difference {worst:G4} at flat index {index} of ({string.Join(", ", expected.shape)}): expected {want.flatten()[index].ToDouble():G9}, "
            + $"got {got.flatten()[index].ToDouble():G9}; bound {limit:G2} of {scale:G4}");
    }

    public static void Assert(double expected, double actual, string what, double bound = 1e-5)
    {
        if (!(Math.Abs(expected - actual) <= bound * Math.Max(Math.Abs(expected), 1e-12)))
            Xunit.Assert.Fail($"{what}: expected {expected:R}, got {actual:R}; relative bound {bound:G2}");
    }
}
