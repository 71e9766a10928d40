namespace LlmTune.Native;

/// <summary>The dispatcher's operators in TorchSharp's own: used where the C interface is missing, and what the others are held against.</summary>
internal static class OperatorTwins
{
    public static void AdamW(AdamWStep step)
    {
        using var noGrad = no_grad();
        for (var i = 0; i < step.Parameters.Length; i++)
        {
            using var scope = NewDisposeScope();
            var (parameter, gradient, t) = (step.Parameters[i], step.Gradients[i], step.Steps[i].Number());
            using var rate = Scalars.Passing(-step.Lr / (1 - Math.Pow(step.Beta1, t)));
            using var keep = Scalars.Passing(1 - step.Lr * step.WeightDecay);
            using var correction = Scalars.Passing(Math.Sqrt(1 - Math.Pow(step.Beta2, t)));
            if (step.GradScale is not null) gradient.div_(step.GradScale);
            parameter.mul_(keep);
            step.ExpAvg[i].mul_(Scalars.Of(step.Beta1)).add_(gradient, Scalars.Of(1 - step.Beta1));
            step.ExpAvgSq[i].mul_(Scalars.Of(step.Beta2)).addcmul_(gradient, gradient, Scalars.Of(1 - step.Beta2));
            var denominator = step.ExpAvgSq[i].sqrt().div_(correction).add_(Scalars.Of(step.Eps), Scalars.Of(1));
            parameter.addcdiv_(step.ExpAvg[i], denominator, rate);
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
        if (scale is { } factor) query = query * Scalars.Of(factor * Math.Sqrt(query.shape[^1]));   // TorchSharp's own has no scale
        return nn.functional.scaled_dot_product_attention(query, key, value, mask, 0, isCausal).MoveToOuterDisposeScope();
    }

    public static Tensor RmsNorm(Tensor input, Tensor? weight, double eps)
    {
        using var scope = NewDisposeScope();
        var exact = input.dtype is ScalarType.Float16 or ScalarType.BFloat16 ? input.to(ScalarType.Float32) : input;
        var result = exact * (exact * exact).mean([-1], keepdim: true).Plus(Scalars.Of(eps)).rsqrt();
        if (weight is not null) result = result * weight;
        return result.to(input.dtype).MoveToOuterDisposeScope();
    }
}
