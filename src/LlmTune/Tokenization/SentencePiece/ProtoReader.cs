using System.Buffers.Binary;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>Reads the fields of a protocol buffer one after the other.</summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> data)
{
    private readonly ReadOnlySpan<byte> _data = data;
    private int _at;
    private ulong _number;
    private ReadOnlySpan<byte> _bytes;

    /// <summary>The number of the field that <see cref="Next"/> has read.</summary>
    public int Field { get; private set; }

    public readonly int Int => (int)_number;

    public readonly bool Flag => _number != 0;

    public readonly float Float => BitConverter.UInt32BitsToSingle((uint)_number);

    public readonly ReadOnlySpan<byte> Bytes => _bytes;

    public readonly string Text => Encoding.UTF8.GetString(_bytes);

    /// <returns>False at the end.</returns>
    /// <exception cref="FormatException">Not a protocol buffer, or cut short.</exception>
    public bool Next()
    {
        if (_at == _data.Length) return false;
        var tag = Varint();
        Field = (int)(tag >> 3);
        _number = 0;
        _bytes = default;
        switch (tag & 7)
        {
            case 0:
                _number = Varint();
                break;
            case 1:
                _number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                _bytes = Take(Varint());
                break;
            case 5:
                _number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw new FormatException($"it has a field of the unknown kind {tag & 7} at byte {_at}");
        }
        return true;
    }

    private ulong Varint()
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = Take(1)[0];
            value |= (ulong)(b & 127) << shift;
            if (b < 128) return value;
        }
        throw new FormatException($"it has a number that does not end at byte {_at}");
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)(_data.Length - _at)) throw new FormatException($"it ends in the middle of a field at byte {_data.Length}");
        var bytes = _data.Slice(_at, (int)count);
        _at += (int)count;
        return bytes;
    }
}
