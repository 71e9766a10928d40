namespace LlmTune.Native;

/// <summary>
/// libtorch's stable C interface (torch/csrc/stable/c/shim.h, torch/csrc/inductor/aoti_torch/c/shim.h). A handle is an at::Tensor*,
/// as TorchSharp's is. Every function returns 0, or 1 after it has written the reason to the standard error stream.
/// </summary>
internal static unsafe class Shim
{
    /// <summary>The interface's version 2.10, in which its slots are encoded: the oldest that has all this.</summary>
    public const ulong Version = 2UL << 56 | 10UL << 48;

    public static readonly delegate* unmanaged<byte*, byte*, ulong*, ulong, int> CallDispatcher =
        (delegate* unmanaged<byte*, byte*, ulong*, ulong, int>)Libtorch.Export("torch_call_dispatcher");

    public static readonly delegate* unmanaged<nint, nint*, int> NewTensorHandle =
        (delegate* unmanaged<nint, nint*, int>)Libtorch.Export("aoti_torch_new_tensor_handle");

    public static readonly delegate* unmanaged<nuint, nint*, int> NewList =
        (delegate* unmanaged<nuint, nint*, int>)Libtorch.Export("torch_new_list_reserve_size");

    public static readonly delegate* unmanaged<nint, ulong, int> ListPush =
        (delegate* unmanaged<nint, ulong, int>)Libtorch.Export("torch_list_push_back");

    public static readonly bool Available = CallDispatcher != null && NewTensorHandle != null && NewList != null && ListPush != null;

    public const string WhereTheReasonIs = "it has written the reason to the standard error stream, most often a lack of memory";

    public static void Check(int status)
    {
        if (status != 0) throw new RunException($"libtorch could not make an argument of an operator; {WhereTheReasonIs}");
    }
}
