namespace LlmTune.Data.Sources;

/// <summary>Readers of binary files meet damage with whatever exception comes first; for the user all of them mean the same.</summary>
internal static class Damage
{
    /// <param name="what">What is read, for the message.</param>
    /// <exception cref="InvalidDataException">Whatever it was.</exception>
    public static T Named<T>(string what, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (InvalidDataException or OutOfMemoryException or RequestException))
        {
            throw new InvalidDataException($"{what} cannot be read: {(e.InnerException is { } inner ? $"{e.Message} ({inner.Message})" : e.Message)}", e);
        }
    }
}
