using LlmTune.Io;

namespace LlmTune.Tests.Io;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files_are_made_with_their_folder_and_replaced()
    {
        var path = _folder["deep/er/a.txt"];
        AtomicFile.WriteText(path, "é1");
        AtomicFile.WriteText(path, "é2");
        Assert.Equal("é2"u8.ToArray(), File.ReadAllBytes(path));   // no byte order mark
        AtomicFile.WriteBytes(path, new byte[] { 1, 2 });
        Assert.Equal([1, 2], File.ReadAllBytes(path));
        Assert.Equal(["deep/er/a.txt"], _folder.Names);
    }

    [Fact]
    public void Until_the_end_the_old_content_stands_and_a_failure_leaves_it()
    {
        var path = _folder["a.txt"];
        AtomicFile.WriteText(path, "old");
        Assert.Throws<InvalidTimeZoneException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("new"u8);
            Assert.Equal("old", File.ReadAllText(path));
            throw new InvalidTimeZoneException();
        }));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["a.txt"], _folder.Names);
    }

    [Fact]
    public void Who_has_the_old_file_open_keeps_it()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("Windows refuses to replace an open file");
        var path = _folder["a.txt"];
        AtomicFile.WriteText(path, "old");
        using var reader = new StreamReader(path);
        AtomicFile.WriteText(path, "new");
        Assert.Equal("old", reader.ReadToEnd());
    }

    [Fact]
    public void A_place_that_cannot_be_written_is_named()
    {
        Directory.CreateDirectory(_folder["taken"]);
        Assert.StartsWith($"cannot write {_folder["taken"]}: ", Assert.Throws<RunException>(() => AtomicFile.WriteText(_folder["taken"], "a")).Message);
        File.WriteAllText(_folder["file"], "");
        Assert.StartsWith($"cannot write {_folder["file/a"]}: ", Assert.Throws<RunException>(() => AtomicFile.WriteText(_folder["file/a"], "a")).Message);
        Assert.Equal(["file"], _folder.Names);
    }
}
