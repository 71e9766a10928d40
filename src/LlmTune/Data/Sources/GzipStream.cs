using System.Buffers.Binary;
using System.IO.Hashing;
using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.Zip.Compression;

namespace LlmTune.Data.Sources;

/// <summary>
/// Gzip, member after member (RFC 1952). Unlike the one of the framework it refuses what is cut off, what is followed by other
/// bytes, and what does not have its checksum: rows that are missing at the end are never lost in silence.
/// </summary>
internal sealed class GzipStream(Stream inner) : ReadOnlyStream
{
    private readonly byte[] _input = new byte[1 << 16];
    private readonly byte[] _output = new byte[1 << 16];
    private readonly Inflater _inflater = new(noHeader: true);
    private readonly Crc32 _checksum = new();
    private int _start;
    private int _end;
    private uint _size;
    private bool _inMember;
    private bool _any;

    /// <exception cref="InvalidDataException">The bytes are not gzip, or are damaged.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty) return 0;
        while (true)
        {
            if (!_inMember && !BeginMember()) return 0;
            var count = Inflate(Math.Min(buffer.Length, _output.Length));
            if (count > 0)
            {
                var decoded = _output.AsSpan(0, count);
                _checksum.Append(decoded);
                _size += (uint)count;
                decoded.CopyTo(buffer);
                return count;
            }
            if (_inflater.IsFinished)
                EndMember();
            else if (_inflater.IsNeedingInput)
                Feed();
        }
    }

    private int Inflate(int count)
    {
        try
        {
            return _inflater.Inflate(_output, 0, count);
        }
        catch (SharpZipBaseException e)
        {
            throw new InvalidDataException($"its compressed data is damaged ({e.Message})", e);
        }
    }

    private bool BeginMember()
    {
        if (!Available())
            return _any ? false : throw new InvalidDataException("it holds no bytes, so it is not gzip");
        if (Byte() != 0x1F || Byte() != 0x8B)
        {
            throw new InvalidDataException(_any
                ? "other bytes follow the compressed data"
                : "it is not gzip, whatever its name says; remove .gz from the name if it is plain text");
        }
        if (Byte() != 8) throw new InvalidDataException("it is compressed by a method that gzip does not define");
        var flags = Byte();
        for (var i = 0; i < 6; i++) Byte();
        if ((flags & 4) != 0)
        {
            for (var length = Byte() | (Byte() << 8); length > 0; length--) Byte();
        }
        if ((flags & 8) != 0) while (Byte() != 0) { }
        if ((flags & 16) != 0) while (Byte() != 0) { }
        if ((flags & 2) != 0)
        {
            Byte();
            Byte();
        }
        _inflater.Reset();
        _checksum.Reset();
        (_size, _inMember, _any) = (0, true, true);
        return true;
    }

    private void EndMember()
    {
        _start = _end - _inflater.RemainingInput;
        Span<byte> trailer = stackalloc byte[8];
        for (var i = 0; i < trailer.Length; i++) trailer[i] = (byte)Byte();
        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer) != _checksum.GetCurrentHashAsUInt32()
            || BinaryPrimitives.ReadUInt32LittleEndian(trailer[4..]) != _size)
        {
            throw new InvalidDataException("its checksum is wrong");
        }
        _inMember = false;
    }

    /// <summary>Gives the inflater what is in the buffer; the buffer stays until it is used up.</summary>
    private void Feed()
    {
        if (!Available()) throw new InvalidDataException("it is cut off: the compressed data does not end");
        _inflater.SetInput(_input, _start, _end - _start);
        _start = _end;
    }

    private bool Available()
    {
        if (_start < _end) return true;
        (_start, _end) = (0, inner.Read(_input, 0, _input.Length));
        return _end > 0;
    }

    private int Byte() => Available() ? _input[_start++] : throw new InvalidDataException("it is cut off: the compressed data does not end");

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }
}
