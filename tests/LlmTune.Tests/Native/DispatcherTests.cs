using CsCheck;
using LlmTune.Native;

namespace LlmTune.Tests.Native;

public sealed class DispatcherTests
{
    private static readonly Device[] Devices = cuda.is_available() ? [CPU, CUDA] : [CPU];

    [Fact]
    public void Every_operator_is_there_in_the_libtorch_of_the_package() => Assert.All(Dispatcher.Operators, entry => Assert.True(entry.Value, entry.Key));

    /// <summary>
    /// Two steps by hand with p = 1, lr 0.1, β = (0.9, 0.99), λ 0.1, ε 0. Step 1: g = 2, m = 0.2, v = 0.04, m̂/√v̂ = 1, p = 0.99 − 0.1 = 0.89.
    /// Step 2: g = −1, m = 0.08, v = 0.0496, m̂ = 0.08/0.19, v̂ = 0.0496/0.0199, p = 0.89·0.99 − 0.1·m̂/√v̂.
    /// </summary>
    [Fact]
    public void AdamW_steps_as_worked_by_hand()
    {
        using var scope = NewDisposeScope();
        var (p, m, v) = (ones(1), zeros(1), zeros(1));
        Step(2, 1);
        Close.Assert(0.89, p.ToSingle(), "after one step");
        Step(-1, 2);
        Close.Assert(0.89 * 0.99 - 0.1 * (0.08 / 0.19) / Math.Sqrt(0.0496 / 0.0199), p.ToSingle(), "after two steps");
        Close.Assert(0.08, m.ToSingle(), "first average");
        Close.Assert(0.0496, v.ToSingle(), "second average");

        void Step(float gradient, float step) => Dispatcher.FusedAdamW([p], [tensor(new[] { gradient })], [m], [v], [tensor(step)], 0.1, 0.9, 0.99, 0.1, 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AdamW_equals_its_twin(bool scaled)
    {
        foreach (var device in Devices)
        {
            using var scope = NewDisposeScope();
            var random = new Generator(3);
            Tensor[] Random(double scale) => [.. new long[][] { [], [3], [129, 7], [2, 3, 4] }.Select(shape => (randn(shape, generator: random) * scale).to(device))];
            Tensor[] Copies(Tensor[] tensors) => [.. tensors.Select(tensor => tensor.clone())];
            var (parameters, m, v) = (Random(1), Random(0), Random(0));
            var (parameters2, m2, v2) = (Copies(parameters), Copies(m), Copies(v));
            for (var step = 1; step <= 5; step++)
            {
                var gradients = Random(0.1);
                var gradients2 = Copies(gradients);
                var t = tensor((float)step, device: device);
                var scale = scaled ? tensor(2.5f, device: device) : null;
                Dispatcher.FusedAdamW(parameters, gradients, m, v, [t, t, t, t], 0.01, 0.9, 0.95, 0.1, 1e-8, scale);
                OperatorTwins.AdamW(new AdamWStep(parameters2, gradients2, m2, v2, [t, t, t, t], 0.01, 0.9, 0.95, 0.1, 1e-8, scale));
                for (var i = 0; i < gradients.Length; i++) Close.Assert(gradients2[i], gradients[i], $"gradient {i}");
            }
            for (var i = 0; i < parameters.Length; i++)
            {
                Close.Assert(parameters2[i], parameters[i], $"parameter {i}");
                Close.Assert(m2[i], m[i], $"first average {i}");
                Close.Assert(v2[i], v[i], $"second average {i}");
            }
        }
    }

    [Fact]
    public void AdamW_moves_parameters_that_require_gradients()
    {
        using var scope = NewDisposeScope();
        var p = ones(2, requires_grad: true);
        Dispatcher.FusedAdamW([p], [ones(2)], [zeros(2)], [zeros(2)], [ones([])], 0.5, 0.9, 0.99, 0, 1e-8);
        Close.Assert(0.5, p[0].ToSingle(), "parameter");
        Assert.True(p.is_leaf);
    }

    /// <summary>Over shapes, masks, scales, shared key heads: values and the gradients of all three.</summary>
    [Fact]
    public void Attention_equals_its_twin_and_the_formula() =>
        Gen.Select(Gen.Int[1, 3].Array[3], Gen.Int[1, 20].Array[2], Gen.Int[1, 4], Gen.Int[0, 3], Gen.Bool).Sample((heads3, tokens, size8, masking, scaled) =>
        {
            using var scope = NewDisposeScope();
            int batch = heads3[0], heads = heads3[1], shared = heads3[2], queries = tokens[0], keys = tokens[1], size = 8 * size8;
            foreach (var device in Devices)
            {
                Tensor Random(params long[] shape) => randn(shape, device: device, requires_grad: true);
                var (q, k, v) = (Random(batch, heads * shared, queries, size), Random(batch, heads, keys, size), Random(batch, heads, keys, size));
                var mask = masking switch
                {
                    1 => rand(queries, keys, device: device) > 0.3 | arange(keys, device: device) == 0,   // no row without a key
                    2 => randn(batch, 1, queries, keys, device: device),
                    _ => null,
                };
                double? scale = scaled ? 0.3 : null;
                var causal = masking == 3;
                var upstream = randn(batch, heads * shared, queries, size, device: device);
                var ours = Gradients(() => Dispatcher.ScaledDotProductAttention(q, k, v, mask, causal, scale, enableGqa: shared > 1));
                var twin = Gradients(() => OperatorTwins.Attention(q, k, v, mask, causal, scale, enableGqa: shared > 1));
                var seen = causal ? ones(queries, keys, dtype: ScalarType.Bool, device: device).tril() : mask;
                var formula = Gradients(() => Formula(q, k, v, seen, scale ?? 1 / Math.Sqrt(size)));
                string[] names = ["attention", "gradient of the query", "of the key", "of the value"];
                for (var i = 0; i < names.Length; i++)
                {
                    // The softmax over a single key is constant, so its gradients are zero by mathematics: held against a typical one.
                    Close.Assert(formula[i], ours[i], names[i], floor: 1);
                    Close.Assert(formula[i], twin[i], $"{names[i]}, twin", floor: 1);
                }

                Tensor[] Gradients(Func<Tensor> attention)
                {
                    var result = attention();
                    result.backward([upstream]);
                    Tensor[] all = [result, q.grad!.clone(), k.grad!.clone(), v.grad!.clone()];
                    foreach (var input in new[] { q, k, v }) input.grad!.zero_();
                    return all;
                }
            }
        }, iter: 60, threads: 1);

    private static Tensor Formula(Tensor q, Tensor k, Tensor v, Tensor? mask, double scale)
    {
        var shared = q.shape[1] / k.shape[1];
        var scores = einsum("bhte,bhse->bhts", q, k.repeat_interleave(shared, dim: 1)) * scale;
        if (mask is not null) scores = mask.dtype == ScalarType.Bool ? scores.masked_fill(~mask, double.NegativeInfinity) : scores + mask;
        return einsum("bhts,bhse->bhte", scores.softmax(-1), v.repeat_interleave(shared, dim: 1));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.BFloat16)]
    public void Rms_norm_equals_its_twin(ScalarType type)
    {
        foreach (var device in Devices)
        {
            using var scope = NewDisposeScope();
            var x = randn([3, 5, 40], device: device).to(type).requires_grad_(true);
            foreach (var weight in new[] { null, randn([40], device: device).to(type) })
            {
                var ours = Dispatcher.RmsNorm(x, weight, 1e-6);
                var twin = OperatorTwins.RmsNorm(x, weight, 1e-6);
                Assert.Equal(type, ours.dtype);
                Close.Assert(twin, ours, "rms_norm");
                ours.sum().backward();
                var gradient = x.grad!.clone();
                x.grad!.zero_();
                twin.sum().backward();
                Close.Assert(x.grad!, gradient, "gradient");
                x.grad!.zero_();
            }
        }
    }

    /// <summary>(3, 4, 0, 0): mean square 25/4, so 3/2.5 and 4/2.5.</summary>
    [Fact]
    public void Rms_norm_is_as_worked_by_hand()
    {
        using var scope = NewDisposeScope();
        var result = Dispatcher.RmsNorm(tensor(new float[] { 3, 4, 0, 0 }), tensor(new float[] { 1, 2, 1, 1 }), 0);
        Close.Assert(tensor(new[] { 1.2f, 3.2f, 0, 0 }), result, "rms_norm");
    }

    [Fact]
    public void Calls_leave_no_tensor_behind()
    {
        using var outer = NewDisposeScope();
        var (q, p, w) = (randn(1, 2, 4, 8), ones(3), ones(8));
        _ = Dispatcher.Operators;   // the probes
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (NewDisposeScope())
        {
            _ = Dispatcher.ScaledDotProductAttention(q, q, q, isCausal: true);
            _ = Dispatcher.RmsNorm(q, w, 1e-6);
            Dispatcher.FusedAdamW([p], [ones(3)], [zeros(3)], [zeros(3)], [ones([])], 0.5, 0.9, 0.99, 0, 1e-8);
        }
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Wrong_arguments_are_refused_before_they_reach_the_kernel()
    {
        using var scope = NewDisposeScope();
        static string Error(Action call) => Assert.Throws<ArgumentException>(call).Message;
        Tensor Of(params long[] shape) => zeros(shape);
        var (q, k) = (Of(1, 4, 3, 8), Of(1, 2, 5, 8));
        Assert.Equal(
            "attention takes (batch, heads, tokens, size); got query Float32 (3, 8) on cpu, key Float32 (1, 2, 5, 8) on cpu, value Float32 (1, 2, 5, 8) on cpu",
            Error(() => Dispatcher.ScaledDotProductAttention(Of(3, 8), k, k)));
        void Shared(Tensor key, Tensor value, Tensor? mask = null, bool isCausal = false) =>
            Dispatcher.ScaledDotProductAttention(q, key, value, mask, isCausal, enableGqa: true);
        Assert.StartsWith(
            "key and value must have the query's heads, but with enableGqa; got query Float32 (1, 4, 3, 8) on cpu",
            Error(() => Dispatcher.ScaledDotProductAttention(q, k, k)));
        Assert.StartsWith("key and value must have equally many heads, which divide the query's; got", Error(() => Shared(Of(1, 3, 5, 8), Of(1, 3, 5, 8))));
        Assert.StartsWith("query, key and value do not fit together; got", Error(() => Shared(k, Of(1, 2, 4, 8))));
        Assert.StartsWith("query, key and value must be of one floating type on one device; got", Error(() => Shared(k.to(ScalarType.BFloat16), k)));
        Assert.StartsWith("attention is either causal or has a mask; got", Error(() => Shared(k, k, Of(3, 5), isCausal: true)));
        Assert.StartsWith("the mask must be Bool or of the query's type, on its device; got", Error(() => Shared(k, k, Of(3, 5).to(ScalarType.Int64))));
        Assert.EndsWith(", mask Float32 (4, 5) on cpu", Error(() => Shared(k, k, Of(4, 5))));
        Assert.StartsWith("the mask must broadcast to (batch, heads, query tokens, key tokens); got", Error(() => Shared(k, k, Of(4, 5))));

        Assert.Equal("the weight must be Float32 (8) on cpu, got Float32 (7) on cpu", Error(() => Dispatcher.RmsNorm(q, Of(7), 1e-6)));
        Assert.Equal("the input must be floating with a last dimension, got Int64 (2) on cpu", Error(() => Dispatcher.RmsNorm(tensor(new long[] { 1, 2 }), null, 1e-6)));

        void Adam(Tensor p, Tensor g, Tensor m, Tensor step, Tensor? scale = null) => Dispatcher.FusedAdamW([p], [g], [m], [Of(3, 4)], [step], 1, 0.9, 0.99, 0, 0, scale);
        var (ok, one) = (Of(3, 4), Of());
        Assert.Equal(
            "1 parameters, 0 gradients, 0 and 0 averages, 0 steps: all must be as many",
            Error(() => Dispatcher.FusedAdamW([ok], [], [], [], [], 1, 0.9, 0.99, 0, 0)));
        Assert.Equal("gradient 0 is Float32 (4, 3) on cpu, expected Float32 (3, 4) on cpu", Error(() => Adam(ok, Of(4, 3), ok, one)));
        Assert.Equal("first average 0 is Float64 (3, 4) on cpu, expected Float32 (3, 4) on cpu", Error(() => Adam(ok, ok, ok.to(ScalarType.Float64), one)));
        Assert.Equal("gradient 0 is not contiguous", Error(() => Adam(ok, Of(4, 3).t(), ok, one)));
        Assert.Equal("step 0 must be a Float32 scalar on cpu, got Float32 (3, 4) on cpu", Error(() => Adam(ok, ok, ok, ok)));
        Assert.Equal("gradScale must be a Float32 scalar on cpu, got Float64 () on cpu", Error(() => Adam(ok, ok, ok, one, one.to(ScalarType.Float64))));
        Assert.Equal("parameters must be floating, got Int64 () on cpu", Error(() => Adam(one.to(ScalarType.Int64), ok, ok, one)));
    }

    /// <summary>A result of 2⁵⁰ bytes, which no machine can address.</summary>
    [Fact]
    public void What_fails_in_libtorch_is_an_exception_and_not_the_end_of_the_process()
    {
        using var scope = NewDisposeScope();
        var huge = zeros(1, 1).expand(1L << 45, 8);
        Assert.Equal(
            "rms_norm failed for Float32 (35184372088832, 8) on cpu in libtorch; "
            + "it has written the reason to the standard error stream, most often a lack of memory",
            Assert.Throws<RunException>(() => Dispatcher.RmsNorm(huge, null, 1e-6)).Message);
    }

    [Fact]
    public void A_disposed_tensor_is_an_exception()
    {
        var gone = ones(1, 1, 1, 8);
        gone.Dispose();
        Assert.ThrowsAny<InvalidOperationException>(() => Dispatcher.ScaledDotProductAttention(gone, gone, gone));
        Assert.ThrowsAny<InvalidOperationException>(() => Dispatcher.RmsNorm(gone, null, 1e-6));
    }
}
