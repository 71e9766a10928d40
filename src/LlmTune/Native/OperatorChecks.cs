namespace LlmTune.Native;

/// <summary>
/// What the dispatcher's kernels do not check themselves, or would say only on the standard error stream. Sizes are asked for one
/// by one: Tensor.shape costs half a microsecond, as much as a small operator.
/// </summary>
internal static class OperatorChecks
{
    public static string Describe(Tensor tensor) => $"{tensor.dtype} ({string.Join(", ", tensor.shape)}) on {tensor.device}";

    public static void AdamW(
        ReadOnlySpan<Tensor> parameters, ReadOnlySpan<Tensor> gradients, ReadOnlySpan<Tensor> expAvg, ReadOnlySpan<Tensor> expAvgSq, ReadOnlySpan<Tensor> steps, Tensor? gradScale)
    {
        var count = parameters.Length;
        if (gradients.Length != count || expAvg.Length != count || expAvgSq.Length != count || steps.Length != count)
            throw new ArgumentException($"{count} parameters, {gradients.Length} gradients, {expAvg.Length} and {expAvgSq.Length} averages, {steps.Length} steps: all must be as many");
        var (type, device) = (parameters[0].dtype, parameters[0].device);
        if (!parameters[0].is_floating_point()) throw new ArgumentException($"parameters must be floating, got {Describe(parameters[0])}");
        for (var i = 0; i < count; i++)
        {
            var parameter = parameters[i];
            Same(parameter, parameter, "parameter", i);
            Same(gradients[i], parameter, "gradient", i);
            Same(expAvg[i], parameter, "first average", i);
            Same(expAvgSq[i], parameter, "second average", i);
            if (!ReferenceEquals(steps[i], steps[0]) || i == 0) Scalar(steps[i], device, $"step {i}");
        }
        if (gradScale is not null) Scalar(gradScale, device, "gradScale");

        void Same(Tensor tensor, Tensor parameter, string what, int i)
        {
            if (tensor.dtype != type || !SameShape(tensor, parameter) || !SameDevice(tensor.device, device))
                throw new ArgumentException($"{what} {i} is {Describe(tensor)}, expected {type} ({string.Join(", ", parameter.shape)}) on {device}");
            if (!tensor.is_contiguous()) throw new ArgumentException($"{what} {i} is not contiguous");
        }
    }

    public static void Attention(Tensor query, Tensor key, Tensor value, Tensor? mask, bool isCausal, bool enableGqa)
    {
        string Given() => $"query {Describe(query)}, key {Describe(key)}, value {Describe(value)}";
        if (query.dim() != 4 || key.dim() != 4 || value.dim() != 4) throw new ArgumentException($"attention takes (batch, heads, tokens, size), got {Given()}");
        var (heads, keyHeads) = (query.size(1), key.size(1));
        if (keyHeads != value.size(1) || (enableGqa ? keyHeads == 0 || heads % keyHeads != 0 : heads != keyHeads))
            throw new ArgumentException($"key and value must have {(enableGqa ? "equally many heads that divide the query's" : "the query's heads")}, got {Given()}");
        if (query.size(0) != key.size(0) || query.size(0) != value.size(0) || key.size(2) != value.size(2) || query.size(3) != key.size(3))
            throw new ArgumentException($"query, key and value do not fit together: {Given()}");
        if (!query.is_floating_point() || key.dtype != query.dtype || value.dtype != query.dtype || !SameDevice(key.device, query.device) || !SameDevice(value.device, query.device))
            throw new ArgumentException($"query, key and value must be of one floating type on one device, got {Given()}");
        if (mask is null) return;
        if (isCausal) throw new ArgumentException("attention is either causal or has a mask");
        if ((mask.dtype != ScalarType.Bool && mask.dtype != query.dtype) || !SameDevice(mask.device, query.device))
            throw new ArgumentException($"the mask must be Bool or {query.dtype} on {query.device}, got {Describe(mask)}");
        Span<long> scores = [query.size(0), heads, query.size(2), key.size(2)];
        if (!Broadcasts(mask, scores)) throw new ArgumentException($"the mask does not broadcast to ({string.Join(", ", scores.ToArray())}), got {Describe(mask)}");
    }

    public static void RmsNorm(Tensor input, Tensor? weight)
    {
        if (input.dim() == 0 || !input.is_floating_point()) throw new ArgumentException($"the input must be floating with a last dimension, got {Describe(input)}");
        if (weight is not null && (weight.dtype != input.dtype || !SameDevice(weight.device, input.device) || weight.dim() != 1 || weight.size(0) != input.size(-1)))
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
