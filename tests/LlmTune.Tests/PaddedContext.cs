using LlmTune.Layers;

namespace LlmTune.Tests;

/// <summary>
/// Attention as transformers' eager form computes it on padded rows, padding included. A column that sees nothing (padding on the
/// left) weighs all columns alike, because its scores are all the smallest float. PEFT's cases count labels that such a
/// column predicts, so their losses and gradients need it; the product never computes padding.
/// </summary>
internal sealed class PaddedContext(bool[] real, int rows, int width, Device device) : AttentionContext
{
    private readonly Tensor _positions = arange(0, width, ScalarType.Int64, device).repeat(rows);
    private readonly Tensor _mask = Mask(real, rows, width, device);

    public override Tensor Attend(Tensor queries, Tensor keys, Tensor values, Attention attention)
    {
        var spec = attention.Spec;
        Assert.True(spec.Window is null, "windows are not part of these cases");
        var (cos, sin) = Rope.Table(spec.Rope, _positions, width);
        var q = Heads(Rope.Apply(queries, cos.to(queries.dtype), sin.to(queries.dtype)));
        var k = Heads(Rope.Apply(keys, cos.to(keys.dtype), sin.to(keys.dtype))).repeat_interleave(spec.Heads / spec.KeyValueHeads, 1);
        var v = Heads(values).repeat_interleave(spec.Heads / spec.KeyValueHeads, 1);
        var scores = q.matmul(k.transpose(2, 3)) * spec.Scale + _mask;
        return scores.softmax(-1, ScalarType.Float32).to(q.dtype).matmul(v).transpose(1, 2).reshape((long)rows * width, spec.Heads, spec.HeadSize);
    }

    private Tensor Heads(Tensor x) => x.view(rows, width, x.shape[1], x.shape[2]).transpose(1, 2);

    private static Tensor Mask(bool[] real, int rows, int width, Device device)
    {
        var mask = new float[rows * width * width];
        for (var r = 0; r < rows; r++)
            for (var t = 0; t < width; t++)
                for (var s = 0; s < width; s++)
                    mask[(r * width + t) * width + s] = s <= t && real[r * width + s] ? 0 : float.MinValue;
        return tensor(mask).view(rows, 1, width, width).to(device);
    }
}
