using System.Globalization;
using LlmTune.Io;

namespace LlmTune.Tests.Io;

public sealed class AtomicFolderTests : IDisposable
{
    private static readonly string Dead = int.MaxValue.ToString(CultureInfo.InvariantCulture);   // no process has this number

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Make(string name, string content)
    {
        Directory.CreateDirectory(_folder[name]);
        File.WriteAllText(Path.Combine(_folder[name], "x"), content);
        return _folder[name];
    }

    private static Action<string> Content(string text) => staged => File.WriteAllText(Path.Combine(staged, "x"), text);

    private IEnumerable<string?> Names => Directory.GetDirectories(_folder.Path).Select(Path.GetFileName).Order();

    [Fact]
    public void A_folder_appears_whole_or_not_at_all()
    {
        Assert.Throws<IOException>(() => AtomicFolder.Write(_folder["a"], replace: false, staged =>
        {
            Content("half")(staged);
            throw new IOException();
        }));
        Assert.Empty(Names);
        AtomicFolder.Write(_folder["a"], replace: false, Content("whole"));
        Assert.Equal(["a"], Names);
        Assert.Throws<RequestException>(() => AtomicFolder.Write(_folder["a"], replace: false, Content("other")));
        AtomicFolder.Write(_folder["a"], replace: true, Content("other"));
        Assert.Equal("other", File.ReadAllText(Path.Combine(_folder["a"], "x")));
        Assert.Equal(["a"], Names);
    }

    [Fact]
    public void What_a_killed_writer_left_goes_away_and_that_of_one_that_lives_stays()
    {
        Make($".a.{Dead}.partial", "half");
        Make(".a.1.partial", "of another process");
        Make($".ab.{Dead}.partial", "of another folder");
        AtomicFolder.Write(_folder["a"], replace: false, Content("whole"));
        Assert.Equal([".a.1.partial", $".ab.{Dead}.partial", "a"], Names);
    }

    [Fact]
    public void A_folder_that_a_killed_writer_had_moved_aside_comes_back()
    {
        Make($".a.{Dead}.partial", "half");
        Make($".a.{Dead}.partial.old", "old");
        Assert.Throws<IOException>(() => AtomicFolder.Write(_folder["a"], replace: true, _ => throw new IOException()));
        Assert.Equal("old", File.ReadAllText(Path.Combine(_folder["a"], "x")));
        Assert.Equal(["a"], Names);
    }
}
