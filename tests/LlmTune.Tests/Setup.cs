using System.Runtime.CompilerServices;
using LlmTune.Native;

namespace LlmTune.Tests;

internal static class Setup
{
    [ModuleInitializer]
    internal static void LoadLibtorch() => Libtorch.Load();
}
