using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Data.Sources;

/// <summary>
/// The values of a JSON array, or of a sequence of values, one at a time from a stream. The buffer grows to the largest value,
/// never to the file.
/// </summary>
internal sealed class JsonValueReader
{
    private static readonly JsonReaderOptions Options = new() { AllowMultipleValues = true, MaxDepth = 64 };

    private readonly Stream _stream;
    private readonly bool _array;
    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private bool _finished;
    private bool _any;
    private JsonReaderState _state = new(Options);
    private long _linesBefore;

    public JsonValueReader(Stream stream, bool array)
    {
        _stream = stream;
        _array = array;
        if (array) ReadBracket();
    }

    /// <summary>The next value and the line on which it begins; false at the end.</summary>
    /// <exception cref="NotJsonException">The stream is not JSON from here on.</exception>
    public bool Next(out ReadOnlySpan<byte> value, out long line)
    {
        while (true)
        {
            var pending = _buffer.AsSpan(_start, _end - _start);
            var reader = new Utf8JsonReader(pending, _finished, _state);
            if (Advanced(ref reader))
            {
                if (_array && reader.TokenType == JsonTokenType.EndArray && reader.CurrentDepth == 0)
                {
                    value = default;
                    line = 0;
                    return false;
                }
                var from = (int)reader.TokenStartIndex;
                if (Skipped(ref reader))
                {
                    var consumed = (int)reader.BytesConsumed;
                    line = 1 + _linesBefore + pending[..from].Count((byte)'\n');
                    _linesBefore += pending[..consumed].Count((byte)'\n');
                    _state = reader.CurrentState;
                    _start += consumed;
                    _any = true;
                    value = pending[from..consumed];
                    return true;
                }
            }
            else if (_finished)
            {
                value = default;
                line = 0;
                return false;
            }
            Fill();
        }
    }

    private bool Advanced(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.Read();
        }
        catch (JsonException e)
        {
            throw NotJson(e);
        }
    }

    private bool Skipped(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.TrySkip();
        }
        catch (JsonException e)
        {
            throw NotJson(e);
        }
    }

    private NotJsonException NotJson(JsonException e)
    {
        var rest = _buffer.AsSpan(_start, _end - _start);
        var mistake = _array ? JsonMistake.FindInList(rest, _any) : JsonMistake.Find(rest);
        return new NotJsonException(1 + _linesBefore + rest[..mistake.Offset].Count((byte)'\n'), mistake.What, e);
    }

    private void ReadBracket()
    {
        while (true)
        {
            var reader = new Utf8JsonReader(_buffer.AsSpan(_start, _end - _start), _finished, _state);
            if (reader.Read())
            {
                _linesBefore += _buffer.AsSpan(_start, (int)reader.BytesConsumed).Count((byte)'\n');
                _state = reader.CurrentState;
                _start += (int)reader.BytesConsumed;
                return;
            }
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
        var read = _stream.Read(_buffer, _end, _buffer.Length - _end);
        if (read == 0) _finished = true;
        _end += read;
    }
}

/// <summary>A stream is not JSON from a line on.</summary>
internal sealed class NotJsonException(long line, string what, Exception inner) : Exception(what, inner)
{
    /// <summary>From 1.</summary>
    public long Line { get; } = line;
}
