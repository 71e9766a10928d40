using System.Globalization;
using LlmTune.Native;

namespace LlmTune.Tests.Native;

[Collection(Alone.Name)]
public sealed class DispatcherMemoryTests
{
    [Fact]
    public void Native_memory_does_not_grow()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("reads /proc");
        using var outer = NewDisposeScope();
        var (q, mask, w) = (randn(1, 2, 64, 64), zeros(64, 64), ones(64));
        Tensor[] parameters = [.. Enumerable.Range(0, 20).Select(_ => ones(1000))];
        var step = ones([]);
        void Calls(int count)
        {
            for (var i = 0; i < count; i++)
            {
                using var scope = NewDisposeScope();
                _ = Dispatcher.ScaledDotProductAttention(q, q, q, mask, scale: 0.5);
                _ = Dispatcher.RmsNorm(q, w, 1e-6);
                Dispatcher.FusedAdamW(parameters, parameters, parameters, parameters, [.. Enumerable.Repeat(step, 20)], 0.5, 0.9, 0.99, 0, 1e-8, step);
            }
        }
        static long Resident() =>
            long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;
        Calls(200);
        var before = Resident();
        Calls(1000);   // results not freed would be 64 MB
        Assert.InRange(Resident() - before, long.MinValue, 20 << 20);
    }
}
