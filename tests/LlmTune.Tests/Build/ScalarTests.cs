using System.Collections.Concurrent;
using System.Reflection;
using System.Reflection.Emit;
using LlmTune.Native;

namespace LlmTune.Tests.Build;

/// <summary>
/// No number becomes a TorchSharp Scalar on the way into an operator: nothing refers to such a Scalar while libtorch reads it, so a
/// garbage collection on another thread may free it first. <see cref="Scalars"/> is the way.
/// </summary>
public class ScalarTests
{
    private static readonly Dictionary<short, OpCode> Codes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>TorchSharp's own methods that make a Scalar inside.</summary>
    private static readonly ConcurrentDictionary<MethodBase, bool> Known = new();

    [Fact]
    public void No_number_becomes_a_scalar_by_itself()
    {
        var found = typeof(Scalars).Assembly.GetTypes().Where(type => type.DeclaringType != typeof(Scalars) && type != typeof(Scalars))
            .SelectMany(type => Methods(type).Where(MakesScalar).Select(method => $"{type.FullName}.{method.Name}")).Order(StringComparer.Ordinal);
        Assert.Equal([], found);
    }

    [Fact]
    public void One_that_does_is_found()
    {
        Assert.True(MakesScalar(typeof(ScalarTests).GetMethod(nameof(Doubled), BindingFlags.NonPublic | BindingFlags.Static)!));
        Assert.False(MakesScalar(typeof(ScalarTests).GetMethod(nameof(DoubledSafely), BindingFlags.NonPublic | BindingFlags.Static)!));
    }

    private static Tensor Doubled(Tensor x) => x * 2.0;

    private static Tensor DoubledSafely(Tensor x) => x * Scalars.Of(2.0);

    private static IEnumerable<MethodBase> Methods(Type type)
    {
        const BindingFlags All = BindingFlags.DeclaredOnly | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance;
        return [.. type.GetMethods(All), .. type.GetConstructors(All)];
    }

    /// <summary>Whether a method makes a Scalar, itself or in a method of TorchSharp that it calls.</summary>
    private static bool MakesScalar(MethodBase method)
    {
        if (method.GetMethodBody()?.GetILAsByteArray() is not { } il) return false;
        for (var at = 0; at < il.Length;)
        {
            var code = il[at] == 0xFE ? Codes[BitConverter.ToInt16([il[at + 1], il[at]])] : Codes[il[at]];
            at += code.Size;
            if (code.OperandType == OperandType.InlineMethod && Called(method, BitConverter.ToInt32(il, at)) is { } called && IsDangerous(called)) return true;
            at += code.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BitConverter.ToInt32(il, at),
                _ => 4,
            };
        }
        return false;
    }

    private static bool IsDangerous(MethodBase called)
    {
        if ((called.DeclaringType == typeof(Scalar) && called.Name == "op_Implicit") || called.Name == nameof(ScalarExtensionMethods.ToScalar)) return true;
        if (called.Module != typeof(Tensor).Module) return false;
        if (Known.TryGetValue(called, out var known)) return known;
        Known[called] = false;   // while it is looked at: methods may call themselves
        return Known[called] = MakesScalar(called);
    }

    private static MethodBase? Called(MethodBase caller, int token) => caller.Module.ResolveMethod(
        token, caller.DeclaringType?.GetGenericArguments(), caller.IsGenericMethod ? caller.GetGenericArguments() : null);
}
