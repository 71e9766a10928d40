namespace LlmTune.Tokenization;

/// <summary>
/// GPT-2's alphabet of bytes: each of the 256 bytes is one visible character, itself where it is printable in Latin-1, else one
/// from U+0100 on (https://github.com/openai/gpt-2, encoder.py).
/// </summary>
internal static class ByteLevel
{
    private static readonly char[] Chars = [.. MakeChars()];
    private static readonly short[] Bytes = MakeBytes();

    public static char ToChar(byte value) => Chars[value];

    /// <returns>The byte that a character stands for, −1 if none.</returns>
    public static int ToByte(char value) => value < Bytes.Length ? Bytes[value] : -1;

    /// <summary>The alphabet in order of its bytes.</summary>
    public static ReadOnlySpan<char> Alphabet => Chars;

    /// <summary>The bytes that a token stands for: its characters' where all are of the alphabet, else its own UTF-8 (an added token).</summary>
    public static byte[] ToBytes(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            var value = ToByte(token[i]);
            if (value < 0) return System.Text.Encoding.UTF8.GetBytes(token);
            bytes[i] = (byte)value;
        }
        return bytes;
    }

    private static IEnumerable<char> MakeChars()
    {
        var next = 256;
        for (var b = 0; b < 256; b++) yield return b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)b : (char)next++;
    }

    private static short[] MakeBytes()
    {
        var bytes = new short[256 + 68];
        Array.Fill(bytes, (short)-1);
        for (var b = 0; b < 256; b++) bytes[Chars[b]] = (short)b;
        return bytes;
    }
}
