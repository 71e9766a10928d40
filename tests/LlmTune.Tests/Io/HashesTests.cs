using System.Text;
using LlmTune.Io;

namespace LlmTune.Tests.Io;

public sealed class HashesTests
{
    /// <summary>FIPS 180-2, appendix B: "abc", and a million times "a".</summary>
    [Fact]
    public void Hashes_are_those_of_the_standard()
    {
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", Hashes.OfText("abc"));
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["a"], Encoding.ASCII.GetBytes(new string('a', 1_000_000)));
        Assert.Equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", Hashes.OfFile(folder["a"]));
        var large = new byte[(3 << 20) + 7];
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(large)), Hashes.OfStream(new MemoryStream(large)));
    }
}
