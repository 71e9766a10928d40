using System.Buffers.Text;

namespace LlmTune.Io;

/// <summary>JSON texts with <c>\ud83d</c> alone: Python writes and reads them, .NET throws, so the half pair becomes U+FFFD.</summary>
internal static class Surrogates
{
    private const int EscapeLength = 6;   // \uXXXX

    /// <summary>The same text where no escape is half a pair, else a copy with \ufffd in its place.</summary>
    public static ReadOnlySpan<byte> Mend(ReadOnlySpan<byte> json)
    {
        byte[]? mended = null;
        for (var i = 0; i < json.Length - 1; i++)
        {
            if (json[i] != '\\') continue;
            if (json[i + 1] != 'u')
            {
                i++;   // the escaped character, perhaps a backslash
                continue;
            }
            var unit = Unit(json, i);
            if (char.IsHighSurrogate(unit) && char.IsLowSurrogate(Unit(json, i + EscapeLength)))
            {
                i += 2 * EscapeLength - 1;
                continue;
            }
            if (char.IsSurrogate(unit)) @"\ufffd"u8.CopyTo((mended ??= json.ToArray()).AsSpan(i));
            i += EscapeLength - 1;
        }
        return mended ?? json;
    }

    /// <summary>The UTF-16 unit that an escape stands for; zero if there is none.</summary>
    private static char Unit(ReadOnlySpan<byte> json, int at) =>
        at + EscapeLength <= json.Length && json[at] == '\\' && json[at + 1] == 'u'
        && Utf8Parser.TryParse(json.Slice(at + 2, 4), out int unit, out var used, 'x') && used == 4
            ? (char)unit
            : '\0';
}
