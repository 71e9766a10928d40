namespace LlmTune.Data.Sources;

/// <summary>Readers of binary files meet damage with whatever exception comes first; for the user all of them mean the same.</summary>
internal static class Damage
{
    public static T Named<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (InvalidDataException or OutOfMemoryException or RequestException))
        {
            throw new InvalidDataException(e.InnerException is { } inner ? $"{e.Message} ({inner.Message})" : e.Message, e);
        }
    }
}
