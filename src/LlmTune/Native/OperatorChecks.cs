namespace LlmTune.Native;

/// <summary>
/// What the dispatcher's kernels do not check themselves, or would say only on the standard error stream. Sizes are asked for one
/// by one: Tensor.shape costs half a microsecond, as much as a small operator.
/// </summary>
internal static class OperatorChecks
{
    public static string Describe(Tensor tensor) => $"{tensor.dtype} ({string.Join(", ", tensor.shape)}) on {tensor.device}";

    public static void AdamW(AdamWStep step)
    {
        var count = step.Parameters.Length;
        if (step.Gradients.Length != count || step.ExpAvg.Length != count || step.ExpAvgSq.Length != count || step.Steps.Length != count)
        {
            throw new ArgumentException(
                $"{count} parameters, {step.Gradients.Length} gradients, {step.ExpAvg.Length} and {step.ExpAvgSq.Length} averages, "
                + $"{step.Steps.Length} steps: all must be as many");
        }
        var first = step.Parameters[0];
        if (!first.is_floating_point()) throw new ArgumentException($"parameters must be floating, got {Describe(first)}");
        var (type, device) = (first.dtype, first.device);
        for (var i = 0; i < count; i++)
        {
            var parameter = step.Parameters[i];
            Like(parameter, parameter, "parameter", i);
            Like(step.Gradients[i], parameter, "gradient", i);
            Like(step.ExpAvg[i], parameter, "first average", i);
            Like(step.ExpAvgSq[i], parameter, "second average", i);
            if (i == 0 || !ReferenceEquals(step.Steps[i], step.Steps[0])) Scalar(step.Steps[i], device, $"step {i}");
        }
        if (step.GradScale is not null) Scalar(step.GradScale, device, "gradScale");

        void Like(Tensor tensor, Tensor parameter, string what, int i)
        {
            if (tensor.dtype != type || !SameShape(tensor, parameter) || !SameDevice(tensor.device, device))
            {
                throw new ArgumentException(
                    $"{what} {i} is {Describe(tensor)}, expected {type} ({string.Join(", ", parameter.shape)}) on {device}");
            }
            if (!tensor.is_contiguous()) throw new ArgumentException($"{what} {i} is not contiguous");
        }
    }

    public static void Attention(Tensor query, Tensor key, Tensor value, Tensor? mask, bool isCausal, bool enableGqa)
    {
        ArgumentException Wrong(string expected) =>
            new($"{expected}; got query {Describe(query)}, key {Describe(key)}, value {Describe(value)}{(mask is null ? "" : $", mask {Describe(mask)}")}");

        if (query.dim() != 4 || key.dim() != 4 || value.dim() != 4) throw Wrong("attention takes (batch, heads, tokens, size)");
        var (heads, keyHeads) = (query.size(1), key.size(1));
        if (!enableGqa && heads != keyHeads) throw Wrong("key and value must have the query's heads, but with enableGqa");
        if (keyHeads != value.size(1) || keyHeads == 0 || heads % keyHeads != 0)
            throw Wrong("key and value must have equally many heads, which divide the query's");
        if (query.size(0) != key.size(0) || query.size(0) != value.size(0) || key.size(2) != value.size(2) || query.size(3) != key.size(3))
            throw Wrong("query, key and value do not fit together");
        if (!query.is_floating_point() || !LikeQuery(key) || !LikeQuery(value)) throw Wrong("query, key and value must be of one floating type on one device");
        if (mask is null) return;
        if (isCausal) throw Wrong("attention is either causal or has a mask");
        if (!LikeQuery(mask) && !(mask.dtype == ScalarType.Bool && SameDevice(mask.device, query.device)))
            throw Wrong("the mask must be Bool or of the query's type, on its device");
        if (!Broadcasts(mask, [query.size(0), heads, query.size(2), key.size(2)]))
            throw Wrong("the mask must broadcast to (batch, heads, query tokens, key tokens)");

        bool LikeQuery(Tensor tensor) => tensor.dtype == query.dtype && SameDevice(tensor.device, query.device);
    }

    public static void RmsNorm(Tensor input, Tensor? weight)
    {
        if (input.dim() == 0 || !input.is_floating_point())
            throw new ArgumentException($"the input must be floating with a last dimension, got {Describe(input)}");
        if (weight is null) return;
        if (weight.dtype != input.dtype || !SameDevice(weight.device, input.device) || weight.dim() != 1 || weight.size(0) != input.size(-1))
            throw new ArgumentException($"the weight must be {input.dtype} ({input.size(-1)}) on {input.device}, got {Describe(weight)}");
    }

    private static void Scalar(Tensor tensor, Device device, string what)
    {
        if (tensor.dtype != ScalarType.Float32 || tensor.numel() != 1 || !SameDevice(tensor.device, device))
            throw new ArgumentException($"{what} must be a Float32 scalar on {device}, got {Describe(tensor)}");
    }

    private static bool SameDevice(Device a, Device b) => a.type == b.type && (a.index == b.index || a.type == DeviceType.CPU);

    private static bool SameShape(Tensor a, Tensor b)
    {
        var dimensions = a.dim();
        if (b.dim() != dimensions) return false;
        for (var i = 0; i < dimensions; i++)
        {
            if (a.size(i) != b.size(i)) return false;
        }
        return true;
    }

    private static bool Broadcasts(Tensor tensor, ReadOnlySpan<long> to)
    {
        var dimensions = (int)tensor.dim();
        if (dimensions > to.Length) return false;
        for (var i = 1; i <= dimensions; i++)
        {
            if (tensor.size(-i) is var size && size != 1 && size != to[^i]) return false;
        }
        return true;
    }
}
