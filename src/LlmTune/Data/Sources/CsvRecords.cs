namespace LlmTune.Data.Sources;

/// <summary>The records of a CSV stream, byte by byte; blank lines between them are passed over.</summary>
internal sealed class CsvRecords(Stream stream, byte separator)
{
    private readonly byte[] _buffer = new byte[1 << 16];
    private readonly List<byte> _bytes = [];
    private readonly List<Range> _ranges = [];
    private int _at;
    private int _end;
    private long _lines = 1;

    /// <summary>Line on which the record begins, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>What is wrong with the record; null if nothing is.</summary>
    public string? Problem { get; private set; }

    /// <summary>Its fields as bytes.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Fields { get; private set; } = [];

    /// <summary>Goes to the next record; false at the end.</summary>
    public bool Next()
    {
        do
        {
            Line = _lines;
            if (Peek() < 0) return false;
            ReadRecord();
        }
        while (Problem is null && _ranges is [{ } only] && only.Start.Equals(only.End));
        var bytes = _bytes.ToArray();
        Fields = _ranges.ConvertAll(r => (ReadOnlyMemory<byte>)bytes.AsMemory(r));
        return true;
    }

    private void ReadRecord()
    {
        _bytes.Clear();
        _ranges.Clear();
        Problem = null;
        while (true)
        {
            var start = _bytes.Count;
            if (Peek() == '"')
                ReadQuoted();
            else
                ReadPlain();
            _ranges.Add(start.._bytes.Count);
            var end = Take();
            if (end == separator) continue;
            if (end == '\r') Take();
            return;
        }
    }

    /// <summary>Up to a separator or the end of the line; a quote within is an ordinary character.</summary>
    private void ReadPlain()
    {
        while (!AtFieldEnd()) _bytes.Add((byte)Take());
    }

    private void ReadQuoted()
    {
        var opened = _lines;
        Take();
        while (true)
        {
            var b = Take();
            if (b < 0)
            {
                Problem ??= $"opens a quote on line {opened} that never closes; a quote within a quoted field is doubled";
                return;
            }
            if (b != '"')
            {
                _bytes.Add((byte)b);
                continue;
            }
            if (Peek() != '"') break;
            Take();
            _bytes.Add((byte)'"');
        }
        if (AtFieldEnd()) return;
        Problem ??= opened == _lines
            ? "has text after a closing quote; a quote within a quoted field is doubled"
            : $"opens a quote on line {opened} and has text behind the one that closes it on line {_lines}; a quote within a quoted field is doubled";
        ReadPlain();
    }

    private bool AtFieldEnd()
    {
        var next = Peek();
        return next < 0 || next == separator || next == '\n' || (next == '\r' && PeekSecond() is '\n' or -1);
    }

    private int Peek() => _at < _end || Fill() ? _buffer[_at] : -1;

    private int PeekSecond()
    {
        if (_at + 1 < _end) return _buffer[_at + 1];
        if (_at > 0)
        {
            _buffer[0] = _buffer[_at];
            (_at, _end) = (0, 1);
        }
        var read = stream.Read(_buffer, 1, _buffer.Length - 1);
        _end += read;
        return read > 0 ? _buffer[1] : -1;
    }

    private int Take()
    {
        var b = Peek();
        if (b < 0) return b;
        _at++;
        if (b == '\n') _lines++;
        return b;
    }

    private bool Fill()
    {
        (_at, _end) = (0, stream.Read(_buffer, 0, _buffer.Length));
        return _end > 0;
    }
}
