namespace LlmTune.Io;

/// <summary>The lines of a stream as bytes, without their ends, in a buffer that is used again; a byte order mark is passed over.</summary>
internal sealed class LineReader(Stream stream)
{
    private byte[] _buffer = new byte[1 << 16];
    private int _start, _end;     // what of the buffer has been read and not handed out
    private bool _ended;

    /// <summary>Valid until the next call of <see cref="Next"/>.</summary>
    public ReadOnlyMemory<byte> Current { get; private set; }

    /// <summary>Of the current line, from 1.</summary>
    public int Number { get; private set; }

    /// <summary>Whether the current line ends with a line feed; only the last one may not.</summary>
    public bool HasEnd { get; private set; }

    public bool Next()
    {
        var searched = 0;
        while (true)
        {
            var length = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (length >= 0) return Take(searched + length, 1);
            if (_ended) return _end > _start && Take(_end - _start, 0);
            searched = _end - _start;
            Fill();
        }
    }

    private bool Take(int length, int ending)
    {
        Current = _buffer.AsMemory(_start, length);
        if (Number == 0 && Current.Span.StartsWith("\uFEFF"u8)) Current = Current[3..];
        _start += length + ending;
        HasEnd = ending > 0;
        Number++;
        return true;
    }

    private void Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
        var read = stream.Read(_buffer, _end, _buffer.Length - _end);
        _ended = read == 0;
        _end += read;
    }
}
