using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// The bytes that tokens stand for, read as UTF-8: each broken sequence is one U+FFFD. A stream waits while a character is not whole.
/// </summary>
internal sealed class ByteLevelWriter(TokenWriter next, bool eager) : WholeTokenWriter(next)
{
    private readonly List<byte> _bytes = [];
    private bool _any;

    protected override void WriteToken(string token, int index)
    {
        _bytes.AddRange(ByteLevel.ToBytes(token));
        if (eager && !Utf8Tail.IsIncomplete(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes))) Hand();
    }

    protected override void Finish() => Hand();

    private void Hand()
    {
        Next.Write(Encoding.UTF8.GetString(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes)), !_any);
        _any = true;
        _bytes.Clear();
    }
}

/// <summary>
/// A run of tokens like <c>&lt;0xE4&gt;</c> becomes the text that its bytes are, or one U+FFFD a byte where the whole run is no
/// UTF-8. A stream gives the characters of a run as soon as they are whole; if the run later breaks, only what is left becomes U+FFFD.
/// </summary>
internal sealed class ByteFallbackWriter(TokenWriter next, bool eager) : WholeTokenWriter(next)
{
    private readonly List<byte> _run = [];
    private bool _begun;

    protected override void WriteToken(string token, int index)
    {
        if (ByteOf(token) is not { } value)
        {
            EndRun();
            Next.Write(token, begins: true);
            return;
        }
        _run.Add(value);
        if (eager && System.Text.Unicode.Utf8.IsValid(Run)) Hand(Encoding.UTF8.GetString(Run));
    }

    protected override void Finish() => EndRun();

    private ReadOnlySpan<byte> Run => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_run);

    private void EndRun()
    {
        if (_run.Count > 0)
        {
            if (System.Text.Unicode.Utf8.IsValid(Run))
            {
                Hand(Encoding.UTF8.GetString(Run));
            }
            else
            {
                for (var broken = _run.Count; broken > 0; broken--)
                {
                    Hand("\uFFFD");
                    _begun = false;
                }
            }
        }
        _begun = false;
    }

    private void Hand(string text)
    {
        Next.Write(text, !_begun);
        _begun = true;
        _run.Clear();
    }

    private static byte? ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ? value : null;
}

internal static class Utf8Tail
{
    /// <summary>Whether the bytes end in the middle of a character that more bytes could complete.</summary>
    public static bool IsIncomplete(ReadOnlySpan<byte> bytes)
    {
        for (var length = 1; length <= 3 && length <= bytes.Length; length++)
        {
            if ((bytes[^length] & 0xC0) == 0x80) continue;
            return bytes[^length] >= 0xC0 && Rune.DecodeFromUtf8(bytes[^length..], out _, out _) == System.Buffers.OperationStatus.NeedMoreData;
        }
        return false;
    }
}
