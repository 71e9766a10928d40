using System.Runtime.CompilerServices;

namespace LlmTune.Native;

/// <summary>
/// ATen operators that TorchSharp lacks, called through libtorch's stable C interface. Each has a twin of TorchSharp's own
/// operators, which is used where the interface or the operator is missing. Gradients flow through. Arguments are checked here;
/// what the kernel itself refuses (most often for lack of memory) is a <see cref="RunException"/>.
/// </summary>
public static class Dispatcher
{
    private static readonly Lazy<bool> HasAdamW = Probe(FusedAdamWWorks);
    private static readonly Lazy<bool> HasAttention = Probe(AttentionWorks);
    private static readonly Lazy<bool> HasRmsNorm = Probe(RmsNormWorks);

    /// <summary>Which operators were found to work here, each tried once with a result that is known.</summary>
    public static IReadOnlyDictionary<string, bool> Operators => new Dictionary<string, bool>
    {
        ["_fused_adamw_"] = HasAdamW.Value,
        ["scaled_dot_product_attention"] = HasAttention.Value,
        ["rms_norm"] = HasRmsNorm.Value,
    };

    /// <summary>
    /// One step of AdamW for all parameters, in place (arXiv:1711.05101; torch.optim.AdamW(fused=True)):
    /// m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← (1 − lr·λ)p − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε).
    /// </summary>
    /// <param name="parameters">Contiguous, floating, of one type on one device; the three lists that follow have the same shapes and that type.</param>
    /// <param name="steps">t of each parameter, this step counted: float32 scalars on that device; may be one tensor many times.</param>
    /// <param name="gradScale">If given, a float32 scalar by which gradients are divided first, in place: clipping costs no pass of its own.</param>
    public static void FusedAdamW(
        ReadOnlySpan<Tensor> parameters, ReadOnlySpan<Tensor> gradients, ReadOnlySpan<Tensor> expAvg, ReadOnlySpan<Tensor> expAvgSq,
        ReadOnlySpan<Tensor> steps, double lr, double beta1, double beta2, double weightDecay, double eps, Tensor? gradScale = null)
    {
        if (parameters.IsEmpty) return;
        var step = new AdamWStep(parameters, gradients, expAvg, expAvgSq, steps, lr, beta1, beta2, weightDecay, eps, gradScale);
        OperatorChecks.AdamW(step);
        if (!HasAdamW.Value) OperatorTwins.AdamW(step);
        else if (!CallAdamW(step)) throw Failure("_fused_adamw_", parameters[0]);
    }

    /// <summary>
    /// softmax(q kᵀ · scale + mask) v for every head (torch.nn.functional.scaled_dot_product_attention, without dropout).
    /// </summary>
    /// <param name="query">(B, H, T, E).</param>
    /// <param name="key">(B, K, S, E); K = H, or with <paramref name="enableGqa"/> H = n·K: n query heads side by side share a key head.</param>
    /// <param name="value">(B, K, S, Eᵥ).</param>
    /// <param name="mask">Broadcast to (B, H, T, S): bool, true where a query sees a key; or of the query's type, added.</param>
    /// <param name="isCausal">Query t sees keys 0 to t; not together with a mask.</param>
    /// <param name="scale">1/√E by default.</param>
    /// <returns>(B, H, T, Eᵥ).</returns>
    public static Tensor ScaledDotProductAttention(
        Tensor query, Tensor key, Tensor value, Tensor? mask = null, bool isCausal = false, double? scale = null, bool enableGqa = false)
    {
        OperatorChecks.Attention(query, key, value, mask, isCausal, enableGqa);
        if (!HasAttention.Value) return OperatorTwins.Attention(query, key, value, mask, isCausal, scale, enableGqa);
        return CallAttention(query, key, value, mask, isCausal, scale, enableGqa)
            ?? throw Failure("scaled_dot_product_attention", query, key, value, mask);
    }

    /// <summary>
    /// x / √(mean(x²) + ε) · weight over the last dimension (arXiv:1910.07467), computed in float32 for 16-bit types and rounded
    /// once. Hugging Face's Llama rounds before it multiplies by the weight: in float32 the two are equal, in bfloat16 they differ by a unit.
    /// </summary>
    /// <param name="weight">(D), of the input's type; none is 1.</param>
    public static Tensor RmsNorm(Tensor input, Tensor? weight, double eps)
    {
        OperatorChecks.RmsNorm(input, weight);
        if (!HasRmsNorm.Value) return OperatorTwins.RmsNorm(input, weight, eps);
        return CallRmsNorm(input, weight, eps) ?? throw Failure("rms_norm", input, weight);
    }

    [SkipLocalsInit]
    private static bool CallAdamW(AdamWStep step)
    {
        using var noGrad = no_grad();
        var call = new OperatorCall(stackalloc ulong[15]);
        call.Add(step.Parameters);
        call.Add(step.Gradients);
        call.Add(step.ExpAvg);
        call.Add(step.ExpAvgSq);
        call.Add(ReadOnlySpan<Tensor>.Empty);   // max_exp_avg_sqs
        call.Add(step.Steps);
        call.Add(step.Lr);
        call.Add(step.Beta1);
        call.Add(step.Beta2);
        call.Add(step.WeightDecay);
        call.Add(step.Eps);
        call.Add(false);                        // amsgrad
        call.Add(false);                        // maximize
        call.AddOptional(step.GradScale);
        call.AddOptional((Tensor?)null);        // found_inf
        return call.Run("aten::_fused_adamw_"u8);
    }

    [SkipLocalsInit]
    private static Tensor? CallAttention(Tensor query, Tensor key, Tensor value, Tensor? mask, bool isCausal, double? scale, bool enableGqa)
    {
        var call = new OperatorCall(stackalloc ulong[8]);
        call.Add(query);
        call.Add(key);
        call.Add(value);
        call.AddOptional(mask);
        call.Add(0.0);                          // dropout_p
        call.Add(isCausal);
        call.AddOptional(scale);
        call.Add(enableGqa);
        return call.Run("aten::scaled_dot_product_attention"u8) ? call.Result() : null;
    }

    [SkipLocalsInit]
    private static Tensor? CallRmsNorm(Tensor input, Tensor? weight, double eps)
    {
        var call = new OperatorCall(stackalloc ulong[4]);
        call.Add(input);
        call.Add([input.size(-1)]);             // normalized_shape
        call.AddOptional(weight);
        call.AddOptional(eps);
        return call.Run("aten::rms_norm"u8) ? call.Result() : null;
    }

    private static Lazy<bool> Probe(Func<bool> works) => new(() =>
    {
        if (!Shim.Available) return false;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return works();
    });

    /// <summary>The first step moves a parameter by −lr·sign(g), if ε and decay are nothing.</summary>
    private static bool FusedAdamWWorks()
    {
        var parameter = ones(1);
        var step = new AdamWStep([parameter], [ones(1)], [zeros(1)], [zeros(1)], [ones([])], 0.5, 0.9, 0.999, 0, 0, null);
        return CallAdamW(step) && Math.Abs(parameter.Number() - 0.5) < 1e-6;
    }

    /// <summary>Equal keys: the mean of the values.</summary>
    private static bool AttentionWorks() =>
        CallAttention(ones(1, 2, 1, 1), ones(1, 1, 2, 1), tensor(new float[] { 1, 2 }).view(1, 1, 2, 1), null, false, 1, true) is { } result
        && result.shape is [1, 2, 1, 1] && Math.Abs(result.mean().Number() - 1.5) < 1e-6;

    /// <summary>(3, 4) has the mean square 12.5.</summary>
    private static bool RmsNormWorks() =>
        CallRmsNorm(tensor(new float[] { 3, 4 }), null, 0) is { } result && Math.Abs(result[0].Number() - 3 / Math.Sqrt(12.5)) < 1e-6;

    private static RunException Failure(string name, params ReadOnlySpan<Tensor?> tensors)
    {
        var arguments = new List<string>();
        foreach (var tensor in tensors)
        {
            if (tensor is not null) arguments.Add(OperatorChecks.Describe(tensor));
        }
        return new RunException($"{name} failed for {string.Join(", ", arguments)} in libtorch; {Shim.WhereTheReasonIs}");
    }
}

/// <summary>The arguments of <see cref="Dispatcher.FusedAdamW"/>.</summary>
internal readonly ref struct AdamWStep(
    ReadOnlySpan<Tensor> parameters, ReadOnlySpan<Tensor> gradients, ReadOnlySpan<Tensor> expAvg, ReadOnlySpan<Tensor> expAvgSq,
    ReadOnlySpan<Tensor> steps, double lr, double beta1, double beta2, double weightDecay, double eps, Tensor? gradScale)
{
    public readonly ReadOnlySpan<Tensor> Parameters = parameters, Gradients = gradients, ExpAvg = expAvg, ExpAvgSq = expAvgSq, Steps = steps;
    public readonly double Lr = lr, Beta1 = beta1, Beta2 = beta2, WeightDecay = weightDecay, Eps = eps;
    public readonly Tensor? GradScale = gradScale;
}
