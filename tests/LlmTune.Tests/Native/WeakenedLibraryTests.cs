using LlmTune.Native;

namespace LlmTune.Tests.Native;

public sealed class WeakenedLibraryTests
{
    [Fact]
    public void The_copy_differs_in_the_one_flag_that_makes_a_need_weak()
    {
        var library = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "libLibTorchSharp.so");
        if (!File.Exists(library)) Assert.Skip("LibTorchSharp of Linux is not beside the tests");
        var (before, after) = (File.ReadAllBytes(library), WeakenedLibrary.Weakened(library));
        Assert.Equal(before.Length, after.Length);
        var changed = Enumerable.Range(0, before.Length).Where(i => before[i] != after[i]).ToList();
        Assert.Equal((0, 2), (before[changed.Single()], after[changed.Single()]));   // VER_FLG_WEAK
    }

    [Theory]
    [InlineData("")]
    [InlineData("\u007fELF\u0002\u0001")]
    [InlineData("no library at all, but text that is longer than the head of a file of the kind")]
    public void What_is_no_such_library_is_a_clear_error(string content)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["libLibTorchSharp.so"], content);
        Assert.Equal(
            $"cannot load {folder["libLibTorchSharp.so"]}: it is damaged, or a library it needs is missing (ldd {folder["libLibTorchSharp.so"]} names it)",
            Assert.Throws<RequestException>(() => WeakenedLibrary.Weakened(folder["libLibTorchSharp.so"])).Message);
    }
}
