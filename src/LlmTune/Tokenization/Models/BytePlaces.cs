using System.Text;

namespace LlmTune.Tokenization;

/// <summary>Places in a text's UTF-8 as places in its UTF-16: a token inside a character takes the whole of it.</summary>
internal readonly ref struct BytePlaces
{
    private readonly int[] _starts;
    private readonly int[] _ends;

    public BytePlaces(ReadOnlySpan<char> text)
    {
        var bytes = Encoding.UTF8.GetByteCount(text);
        _starts = new int[bytes + 1];
        _ends = new int[bytes + 1];
        var at = 0;
        for (var i = 0; i < text.Length;)
        {
            var width = Utf16.RuneAt(text, i, out var length).Utf8SequenceLength;
            _starts.AsSpan(at, width).Fill(i);
            _ends.AsSpan(at + 1, width).Fill(i + length);
            at += width;
            i += length;
        }
        _starts[at] = text.Length;
    }

    /// <summary>Where the character begins that a byte belongs to.</summary>
    public int Start(int place) => _starts[Math.Min(place, _starts.Length - 1)];

    /// <summary>Where the character ends that the byte before belongs to.</summary>
    public int End(int place) => _ends[Math.Min(place, _ends.Length - 1)];
}
