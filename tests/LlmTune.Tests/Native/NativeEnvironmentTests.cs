using System.Runtime.InteropServices;
using LlmTune.Native;

namespace LlmTune.Tests.Native;

public sealed partial class NativeEnvironmentTests
{
    [Fact]
    public void Native_code_sees_a_default_and_what_the_user_set_stays()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("reads libc's environment");
        NativeEnvironment.SetDefault("LLMTUNE_TEST_DEFAULT", "first");
        NativeEnvironment.SetDefault("LLMTUNE_TEST_DEFAULT", "second");
        Assert.Equal("first", Environment.GetEnvironmentVariable("LLMTUNE_TEST_DEFAULT"));
        Assert.Equal("first", Marshal.PtrToStringUTF8(GetEnv("LLMTUNE_TEST_DEFAULT")));
    }

    [Fact]
    public void The_allocator_of_CUDA_is_told_before_libtorch_loads()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("reads libc's environment");
        Libtorch.Load();
        Assert.True(Environment.GetEnvironmentVariable("PYTORCH_CUDA_ALLOC_CONF") is not null || GetEnv("PYTORCH_ALLOC_CONF") != 0);
    }

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint GetEnv(string name);
}
