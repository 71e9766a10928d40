namespace LlmTune.Data;

/// <summary>
/// What is held out of texts that are longer than a row. Of many documents some are held out whole, by their hash; of few there would be none,
/// or the only one. There each long text gives its end: the last tokens, up to the fraction asked for, so that nothing is lost and nothing is in
/// both parts (a book, or all of Shakespeare's plays in one file, as language modelling benchmarks divide them).
/// </summary>
internal static class LongTexts
{
    /// <summary>Where fewer documents than this can be expected to be held out whole, the ends of the long ones are.</summary>
    private const int Enough = 10;

    /// <summary>Where the held-out end of a text begins; null where it is held out whole or not at all.</summary>
    /// <param name="length">Tokens of the text.</param>
    /// <param name="row">Tokens of a row.</param>
    /// <param name="documents">Documents of its source.</param>
    public static int? HeldOutFrom(int length, int row, int documents, double fraction)
    {
        if (length <= row || length < 4 || documents * fraction >= Enough) return null;
        return length - Math.Clamp((int)Math.Round(fraction * length), 2, length - 2);
    }
}
