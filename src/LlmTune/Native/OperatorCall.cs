using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LlmTune.Native;

/// <summary>
/// One call of an ATen operator through libtorch's dispatcher, autograd included: the arguments in the order of its schema, every
/// one of them, defaults too; then <see cref="Run"/>; then the results. Each takes one 64-bit slot:
/// a tensor is a new owning handle; <c>T?</c> is 0 or a pointer to a cell with T's encoding; <c>T[]</c> is a list handle; an
/// integer, a bool, a float are themselves. The callee frees what the slots own. A wrong count or kind of arguments ends the process:
/// calls stand behind typed, tested functions and nowhere else. No operator with a Scalar argument can be called so.
/// </summary>
/// <param name="slots">As many as there are arguments, or results if those are more.</param>
internal unsafe ref struct OperatorCall(Span<ulong> slots)
{
    private readonly Span<ulong> _slots = slots;
    private int _count;

    public void Add(Tensor tensor) => Push(Encode(tensor));

    public void AddOptional(Tensor? tensor) => Push(tensor is null ? 0 : Cell(Encode(tensor)));

    public void Add(double value) => Push(BitConverter.DoubleToUInt64Bits(value));

    public void AddOptional(double? value) => Push(value is { } number ? Cell(BitConverter.DoubleToUInt64Bits(number)) : 0);

    public void Add(bool value) => Push(value ? 1UL : 0);

    public void Add(ReadOnlySpan<Tensor> tensors)
    {
        var list = List(tensors.Length);
        foreach (var tensor in tensors) Shim.Check(Shim.ListPush(list, Encode(tensor)));
        Push((ulong)list);
    }

    public void Add(ReadOnlySpan<long> values)
    {
        var list = List(values.Length);
        foreach (var value in values) Shim.Check(Shim.ListPush(list, (ulong)value));
        Push((ulong)list);
    }

    /// <summary>Calls the operator; false if it failed, having written the reason to the standard error stream.</summary>
    /// <param name="name">aten::name, and the overload's name (mostly empty); both with a zero byte behind, as u8 literals have.</param>
    public readonly bool Run(ReadOnlySpan<byte> name, ReadOnlySpan<byte> overload = default)
    {
        if (overload.IsEmpty) overload = "\0"u8;   // fixed makes null of an empty span
        fixed (byte* operatorName = name, overloadName = overload)
        fixed (ulong* stack = _slots)
            return Shim.CallDispatcher(operatorName, overloadName, stack, Shim.Version) == 0;
    }

    /// <summary>The tensor in a slot after a call that returns tensors. Each must be taken once.</summary>
    public readonly Tensor Result(int slot = 0) => Tensor.UnsafeCreateTensor((nint)_slots[slot]);

    private void Push(ulong value) => _slots[_count++] = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Encode(Tensor tensor)
    {
        nint handle;
        Shim.Check(Shim.NewTensorHandle(tensor.Handle, &handle));
        GC.KeepAlive(tensor);
        return (ulong)handle;
    }

    private static ulong Cell(ulong value)
    {
        var cell = (ulong*)NativeMemory.Alloc(sizeof(ulong));   // malloc, which C++'s new and delete are
        *cell = value;
        return (ulong)cell;
    }

    private static nint List(int length)
    {
        nint list;
        Shim.Check(Shim.NewList((nuint)length, &list));
        return list;
    }
}
