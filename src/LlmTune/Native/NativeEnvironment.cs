using System.Runtime.InteropServices;

namespace LlmTune.Native;

/// <summary>Environment variables as native code sees them: .NET's own are a copy that libc's getenv does not read on Linux.</summary>
internal static partial class NativeEnvironment
{
    /// <summary>Sets a variable unless the user has set it; effective for libraries that are loaded afterwards.</summary>
    public static void SetDefault(string name, string value)
    {
        if (Environment.GetEnvironmentVariable(name) is not null) return;
        Environment.SetEnvironmentVariable(name, value);
        if (!OperatingSystem.IsWindows()) _ = SetEnv(name, value, 1);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);
}
