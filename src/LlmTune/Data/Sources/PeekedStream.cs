namespace LlmTune.Data.Sources;

/// <summary>A stream whose beginning may be looked at before it is read.</summary>
internal sealed class PeekedStream(Stream inner) : ReadOnlyStream
{
    private byte[] _head = [];
    private int _taken;

    /// <summary>Up to <paramref name="count"/> of the first bytes.</summary>
    public ReadOnlySpan<byte> Head(int count)
    {
        while (_head.Length < count)
        {
            var more = new byte[count - _head.Length];
            var read = inner.Read(more, 0, more.Length);
            if (read == 0) break;
            _head = [.. _head, .. more.AsSpan(0, read)];
        }
        return _head.AsSpan(0, Math.Min(count, _head.Length));
    }

    /// <summary>The first byte that is no white space; null if there is none.</summary>
    public byte? FirstVisible()
    {
        for (var size = 64; ; size *= 2)
        {
            var head = Head(size);
            var at = head.IndexOfAnyExcept(" \t\r\n"u8);
            if (at >= 0) return head[at];
            if (head.Length < size) return null;
        }
    }

    /// <summary>Passes over bytes that were looked at.</summary>
    public void Skip(int count) => _taken += count;

    public override int Read(Span<byte> buffer)
    {
        if (_taken >= _head.Length) return inner.Read(buffer);
        var count = Math.Min(buffer.Length, _head.Length - _taken);
        _head.AsSpan(_taken, count).CopyTo(buffer);
        _taken += count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }
}
