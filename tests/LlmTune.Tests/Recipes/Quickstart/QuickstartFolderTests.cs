using LlmTune.Recipes.Quickstart;

namespace LlmTune.Tests.Recipes.Quickstart;

public sealed class QuickstartFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void An_earlier_quickstart_is_replaced()
    {
        var first = QuickstartFolder.Begin(_folder["q"], seed: 1, fast: true);
        File.WriteAllText(first.Texts, "old");
        var second = QuickstartFolder.Begin(_folder["q"] + "/", seed: 2, fast: false);
        Assert.Equal(first.Path, second.Path);
        Assert.False(File.Exists(second.Texts));
        Assert.Equal("""{"made_by":"llmtune quickstart","seed":2,"fast":false}""" + "\n", File.ReadAllText(Path.Combine(second.Path, QuickstartFolder.MarkName)));
    }

    [Theory]
    [InlineData("notes.txt", "mine")]
    [InlineData("quickstart.json", "{}")]
    [InlineData("quickstart.json", "not JSON")]
    [InlineData("quickstart.json", """{"made_by": "me"}""")]
    public void A_folder_that_no_quickstart_has_made_is_left_alone(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        var error = Assert.Throws<RequestException>(() => QuickstartFolder.Begin(_folder.Path, seed: 1, fast: true));
        Assert.Equal($"{_folder.Path} is not empty and no quickstart has made it, so it is left alone; name another folder with --keep", error.Message);
        Assert.Equal([name], _folder.Names);
        Assert.Equal(text, File.ReadAllText(_folder[name]));
    }

    [Fact]
    public void A_file_is_refused()
    {
        File.WriteAllText(_folder["q"], "");
        var error = Assert.Throws<RequestException>(() => QuickstartFolder.Begin(_folder["q"], seed: 1, fast: true));
        Assert.Equal($"{_folder["q"]} is a file; name another folder with --keep", error.Message);
    }

    public void Dispose() => _folder.Dispose();
}
