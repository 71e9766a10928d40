using System.Buffers.Binary;
using System.Text;

namespace LlmTune.Tests.Io;

/// <summary>What the tests of safetensors share.</summary>
internal static class SafetensorsFiles
{
    public static readonly ScalarType[] Types =
    [
        ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float64, ScalarType.Int64, ScalarType.Int32, ScalarType.Int16,
        ScalarType.Int8, ScalarType.Byte, ScalarType.Bool, (ScalarType)23, (ScalarType)24,
    ];

    public static string Golden => Path.Combine(AppContext.BaseDirectory, "golden", "safetensors");

    /// <summary>A file of a header and data as they are given.</summary>
    public static byte[] Raw(string json, int dataBytes)
    {
        var header = Encoding.UTF8.GetBytes(json);
        var file = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, 8);
        return file;
    }

    /// <summary>Every bit of a CPU or other tensor.</summary>
    public static byte[] Bytes(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.numel() == 0 ? [] : tensor.detach().cpu().contiguous().view(-1).bytes.ToArray();
    }

    /// <summary>start, start + 1 … (of a bool: its parity), as reference.py counts.</summary>
    public static Tensor Counting(ScalarType type, long[] shape, long start)
    {
        using var scope = NewDisposeScope();
        var values = arange(start, start + shape.Aggregate(1L, (product, size) => product * size), dtype: ScalarType.Int64);
        if (type == ScalarType.Bool) values = values.remainder(2);
        return values.to(type).view(shape).MoveToOuterDisposeScope();
    }
}
