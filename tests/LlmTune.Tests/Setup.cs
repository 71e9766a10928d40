using System.Runtime.CompilerServices;
using LlmTune.Native;

namespace LlmTune.Tests;

internal static class Setup
{
    [ModuleInitializer]
    internal static void LoadLibtorch()
    {
        Libtorch.Load();
        set_num_threads(1);   // classes run side by side, and the tensors are tiny
    }
}
