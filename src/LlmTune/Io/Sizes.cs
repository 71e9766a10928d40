using System.Globalization;

namespace LlmTune.Io;

/// <summary>Amounts of memory and disk as people read them.</summary>
public static class Sizes
{
    /// <summary>In gigabytes from one on, below in megabytes.</summary>
    public static string Text(long bytes) => bytes switch
    {
        >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:N1} GB"),
        >= 100_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N0} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N1} MB"),
    };
}
