namespace LlmTune.Native;

/// <summary>The dispatcher's operators in TorchSharp's own: used where the C interface is missing, and what the others are held against.</summary>
internal static class OperatorTwins
{
    public static void AdamW(
        ReadOnlySpan<Tensor> parameters, ReadOnlySpan<Tensor> gradients, ReadOnlySpan<Tensor> expAvg, ReadOnlySpan<Tensor> expAvgSq, ReadOnlySpan<Tensor> steps,
        double lr, double beta1, double beta2, double weightDecay, double eps, Tensor? gradScale)
    {
        using var noGrad = no_grad();
        for (var i = 0; i < parameters.Length; i++)
        {
            using var scope = NewDisposeScope();
            var (parameter, gradient, step) = (parameters[i], gradients[i], steps[i].ToSingle());
            if (gradScale is not null) gradient.div_(gradScale);
            parameter.mul_(1 - lr * weightDecay);
            expAvg[i].lerp_(gradient, 1 - beta1);
            expAvgSq[i].mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
            var denominator = expAvgSq[i].sqrt().div_(Math.Sqrt(1 - Math.Pow(beta2, step))).add_(eps);
            parameter.addcdiv_(expAvg[i], denominator, -lr / (1 - Math.Pow(beta1, step)));
        }
    }

    public static Tensor Attention(Tensor query, Tensor key, Tensor value, Tensor? mask, bool isCausal, double? scale, bool enableGqa)
    {
        using var scope = NewDisposeScope();
        if (enableGqa && query.shape[1] != key.shape[1])
        {
            var shared = query.shape[1] / key.shape[1];
            key = key.repeat_interleave(shared, dim: 1);
            value = value.repeat_interleave(shared, dim: 1);
        }
        if (scale is { } factor) query = query * (factor * Math.Sqrt(query.shape[^1]));   // TorchSharp's own has no scale
        return nn.functional.scaled_dot_product_attention(query, key, value, mask, 0, isCausal).MoveToOuterDisposeScope();
    }

    public static Tensor RmsNorm(Tensor input, Tensor? weight, double eps)
    {
        using var scope = NewDisposeScope();
        var exact = input.dtype is ScalarType.Float16 or ScalarType.BFloat16 ? input.to(ScalarType.Float32) : input;
        var result = exact * exact.square().mean([-1], keepdim: true).add(eps).rsqrt();
        if (weight is not null) result = result * weight;
        return result.to(input.dtype).MoveToOuterDisposeScope();
    }
}
