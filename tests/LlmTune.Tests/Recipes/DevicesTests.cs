using LlmTune.Recipes;

namespace LlmTune.Tests.Recipes;

public class DevicesTests
{
    [Theory]
    [InlineData("gpu")]
    [InlineData("cuda:x")]
    [InlineData("cuda:-1")]
    [InlineData("")]
    public void Other_names_are_refused(string name) =>
        Assert.Equal($"the device must be auto, cpu, cuda or cuda:N, got '{name}'", Assert.Throws<RequestException>(() => Devices.Of(name)).Message);
}
