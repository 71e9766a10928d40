using System.Runtime.InteropServices;

namespace LlmTune.Native;

/// <summary>CPU tensors over memory that torch did not allocate; the memory's owner stays referenced until the last of them is freed.</summary>
internal static unsafe partial class ForeignMemory
{
    private const int DontNeed = 4;   // MADV_DONTNEED, the same number on Linux and macOS

    private static readonly Lock Gate = new();
    private static readonly Dictionary<nint, (SafeHandle Owner, int Tensors)> Owners = [];

    // LibTorchSharp's own entry point, which takes what is to be called when the storage is freed; libtorch's C shim has none that does.
    private static readonly delegate* unmanaged<nint, delegate* unmanaged<nint, void>, long*, int, sbyte, sbyte, int, int, byte, nint> New =
        (delegate* unmanaged<nint, delegate* unmanaged<nint, void>, long*, int, sbyte, sbyte, int, int, byte, nint>)
        Libtorch.TorchSharpExport("THSTensor_new");

    /// <summary>A tensor over <paramref name="address"/>, no copy. Writing to it is writing to that memory.</summary>
    /// <param name="address">Aligned to the size of the type.</param>
    /// <param name="owner">Closed no earlier than the tensor's storage, even if it is disposed before.</param>
    public static Tensor Alias(nint address, ReadOnlySpan<long> shape, ScalarType type, SafeHandle owner)
    {
        var added = false;
        owner.DangerousAddRef(ref added);
        lock (Gate) Owners[address] = (owner, Owners.TryGetValue(address, out var known) ? known.Tensors + 1 : 1);
        nint handle;
        fixed (long* sizes = shape)
            handle = New(address, &Freed, sizes, shape.Length, (sbyte)type, (sbyte)type, (int)DeviceType.CPU, 0, 0);
        if (handle != 0) return Tensor.UnsafeCreateTensor(handle);
        Release(address);
        CheckForErrors();
        throw new RunException($"libtorch made no tensor of type {type} and shape ({string.Join(", ", shape.ToArray())})");
    }

    /// <summary>Copies the memory's bytes into a CPU tensor of that size.</summary>
    public static void Copy(nint address, Tensor tensor, long bytes, SafeHandle owner)
    {
        using var first = tensor.view(-1).narrow(0, 0, 1);   // the span over all of it could not be longer than 2 GB
        var added = false;
        owner.DangerousAddRef(ref added);
        try
        {
            fixed (byte* target = first.bytes) Buffer.MemoryCopy((void*)address, target, bytes, bytes);
        }
        finally
        {
            owner.DangerousRelease();
        }
    }

    /// <summary>
    /// Takes the pages of a mapped file out of the process's resident memory; whoever reads them again reads the file. A hint, which
    /// Windows does without.
    /// </summary>
    public static void Forget(nint address, long bytes, SafeHandle owner)
    {
        if (OperatingSystem.IsWindows()) return;
        var page = (nint)Environment.SystemPageSize;
        var start = (address + page - 1) / page * page;
        var end = (address + (nint)bytes) / page * page;
        var added = false;
        owner.DangerousAddRef(ref added);
        if (end > start) _ = Advise(start, (nuint)(end - start), DontNeed);
        owner.DangerousRelease();
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    [UnmanagedCallersOnly]
    private static void Freed(nint address) => Release(address);

    private static void Release(nint address)
    {
        SafeHandle owner;
        lock (Gate)
        {
            (owner, var tensors) = Owners[address];
            if (tensors == 1) Owners.Remove(address);
            else Owners[address] = (owner, tensors - 1);
        }
        owner.DangerousRelease();
    }
}
