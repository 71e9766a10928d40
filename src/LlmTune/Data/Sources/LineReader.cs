namespace LlmTune.Data.Sources;

/// <summary>Lines of a stream as bytes, without their ends (LF or CR LF), in a buffer that grows to the longest line.</summary>
internal sealed class LineReader(Stream stream)
{
    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private bool _finished;

    /// <summary>Number of the line that was read last, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>The next line, valid until the next call.</summary>
    public bool Next(out ReadOnlySpan<byte> line)
    {
        var searched = 0;
        while (true)
        {
            var pending = _buffer.AsSpan(_start, _end - _start);
            var at = pending[searched..].IndexOf((byte)'\n');
            if (at >= 0 || (_finished && pending.Length > 0))
            {
                var length = at >= 0 ? searched + at : pending.Length;
                _start += Math.Min(length + 1, pending.Length);
                Line++;
                line = pending[..length] is [.. var body, (byte)'\r'] ? body : pending[..length];
                return true;
            }
            if (_finished)
            {
                line = default;
                return false;
            }
            searched = pending.Length;
            Fill();
        }
    }

    private void Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length) Array.Resize(ref _buffer, checked(_buffer.Length * 2));
        var read = stream.Read(_buffer, _end, _buffer.Length - _end);
        if (read == 0) _finished = true;
        _end += read;
    }
}
