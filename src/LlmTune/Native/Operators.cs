namespace LlmTune.Native;

/// <summary>Operators that TorchSharp lacks or has without options that we need.</summary>
public static class Operators
{
    /// <summary>
    /// softmax(scale · Q Kᵀ + mask) V with grouped queries (arXiv:1706.03762 eq. 1): queries (N, H, T, E), keys and values
    /// (N, K, S, E) → (N, H, T, E).
    /// </summary>
    /// <param name="mask">Bool, true where a key is seen, broadcastable to (N, H, T, S); or null.</param>
    public static Tensor ScaledDotProductAttention(Tensor queries, Tensor keys, Tensor values, Tensor? mask, bool causal, double scale)
    {
        var groups = queries.shape[1] / keys.shape[1];
        var natural = 1 / Math.Sqrt(queries.shape[3]);
        if (scale != natural) queries *= scale / natural;
        return nn.functional.scaled_dot_product_attention(queries, Repeat(keys, groups), Repeat(values, groups), mask!, 0, causal);
    }

    private static Tensor Repeat(Tensor x, long groups)
    {
        if (groups == 1) return x;
        var (n, k, s, e) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3]);
        return x.unsqueeze(2).expand(n, k, groups, s, e).reshape(n, k * groups, s, e);
    }

    /// <summary>One AdamW update in place of flat float32 buffers of one length; <paramref name="step"/> counts from 1.</summary>
    public static void AdamW(
        Tensor values, Tensor gradients, Tensor firstMoment, Tensor secondMoment, int step,
        double learningRate, double beta1, double beta2, double weightDecay, double epsilon)
    {
        using var scope = NewDisposeScope();
        if (weightDecay != 0) values.mul_(1 - learningRate * weightDecay);
        firstMoment.mul_(beta1).add_(gradients, alpha: 1 - beta1);
        secondMoment.mul_(beta2).addcmul_(gradients, gradients, 1 - beta2);
        var denominator = (secondMoment / (1 - Math.Pow(beta2, step))).sqrt_().add_(epsilon);
        values.addcdiv_(firstMoment, denominator, -learningRate / (1 - Math.Pow(beta1, step)));
    }
}
