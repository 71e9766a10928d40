using LlmTune.Config;

namespace LlmTune.Tests.Config;

public class CoreSchemaTests
{
    /// <summary>Chapter 10.3.2 of the YAML 1.2 specification, and what earlier versions read otherwise.</summary>
    [Theory]
    [InlineData("", ScalarKind.Null)]
    [InlineData("~", ScalarKind.Null)]
    [InlineData("Null", ScalarKind.Null)]
    [InlineData("nULL", ScalarKind.Text)]
    [InlineData("TRUE", ScalarKind.Bool)]
    [InlineData("yes", ScalarKind.Text)]
    [InlineData("0", ScalarKind.Int)]
    [InlineData("-19", ScalarKind.Int)]
    [InlineData("0o7", ScalarKind.Int)]
    [InlineData("0o8", ScalarKind.Text)]
    [InlineData("0x3A", ScalarKind.Int)]
    [InlineData("-0x3A", ScalarKind.Text)]
    [InlineData("0.", ScalarKind.Float)]
    [InlineData("-0.0", ScalarKind.Float)]
    [InlineData(".5", ScalarKind.Float)]
    [InlineData(".", ScalarKind.Text)]
    [InlineData("+12e03", ScalarKind.Float)]
    [InlineData("-2E+05", ScalarKind.Float)]
    [InlineData("1e", ScalarKind.Text)]
    [InlineData("-.INF", ScalarKind.Float)]
    [InlineData(".NaN", ScalarKind.Float)]
    [InlineData("-.nan", ScalarKind.Text)]
    [InlineData("1_000", ScalarKind.Text)]
    [InlineData("1,5", ScalarKind.Text)]
    [InlineData("12:30", ScalarKind.Text)]
    [InlineData("1\n", ScalarKind.Text)]
    [InlineData("١", ScalarKind.Text)]
    public void Kind(string text, ScalarKind kind) => Assert.Equal(kind, CoreSchema.KindOf(text));

    [Theory]
    [InlineData("017", 17)]
    [InlineData("0o17", 15)]
    [InlineData("0x1F", 31)]
    [InlineData("-9223372036854775808", long.MinValue)]
    [InlineData("0o777777777777777777777", long.MaxValue)]
    public void Whole(string text, long value)
    {
        Assert.True(CoreSchema.TryInt(text, out var read));
        Assert.Equal(value, read);
    }

    [Theory]
    [InlineData("9223372036854775808")]
    [InlineData("0xFFFFFFFFFFFFFFFF")]
    [InlineData("0o1777777777777777777777")]
    public void Too_large(string text) => Assert.False(CoreSchema.TryInt(text, out _));

    [Theory]
    [InlineData(2e-4, "2e-4")]
    [InlineData(0.001, "0.001")]
    [InlineData(1.2345678901234567e-4, "1.2345678901234567e-4")]
    [InlineData(double.Epsilon, "5e-324")]
    [InlineData(0, "0")]
    [InlineData(2e-5, "2e-5")]
    [InlineData(1.5e-10, "1.5e-10")]
    [InlineData(1e20, "1e20")]
    [InlineData(-3, "-3")]
    [InlineData(0.1 + 0.2, "0.30000000000000004")]
    public void Numbers_are_written_short_and_read_back_equal(double value, string text)
    {
        Assert.Equal(text, CoreSchema.Number(value));
        Assert.Equal(value, CoreSchema.Float(text));
    }
}
