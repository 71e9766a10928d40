using System.Runtime.CompilerServices;
using LlmTune.Native;

namespace LlmTune.Tests;

internal static class Setup
{
    [ModuleInitializer]
    internal static void LoadLibtorch()
    {
        // Runs keep their tokenized data here, not with the user's own.
        var cache = Directory.CreateTempSubdirectory("llmtune-cache-").FullName;
        Environment.SetEnvironmentVariable("LLMTUNE_CACHE", cache);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(cache, recursive: true);
        Libtorch.Load();
        set_num_threads(1);   // classes run side by side, and the tensors are tiny
    }
}
