namespace LlmTune.Tokenization;

/// <summary>
/// Which characters stand side by side in some token that merging makes. Where two never do, merging cannot cross between them,
/// so a text of any length may be cut there, and its parts looked up in a cache (a Llama 2 text is one piece otherwise).
/// </summary>
internal sealed class Neighbours(Vocabulary vocabulary)
{
    private const int Bits = 1 << 20;

    /// <summary>By a hash of the pair: a pair that collides with another is merely not cut.</summary>
    private readonly ulong[] _pairs = new ulong[Bits / 64];
    private readonly ulong[] _entries = Entries(vocabulary);

    public void Add(string token)
    {
        for (var i = 1; i < token.Length; i++)
        {
            var bit = Hash(token[i - 1], token[i]);
            _pairs[bit >> 6] |= 1UL << bit;
        }
    }

    public bool MayMeet(char left, char right)
    {
        var bit = Hash(left, right);
        return (_pairs[bit >> 6] >> bit & 1) != 0;
    }

    /// <summary>Whether a character is in the vocabulary: only then does nothing before it wait for what comes.</summary>
    public bool IsEntry(char c) => (_entries[c >> 6] >> c & 1) != 0;

    private static int Hash(char left, char right) => (int)((uint)left * 0x9E3779B1 + right * 0x85EBCA6Bu >> 12);

    private static ulong[] Entries(Vocabulary vocabulary)
    {
        var entries = new ulong[65536 / 64];
        foreach (var (token, _) in vocabulary.Entries)
        {
            if (token.Length == 1) entries[token[0] >> 6] |= 1UL << token[0];
        }
        return entries;
    }
}
