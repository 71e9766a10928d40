namespace LlmTune.Io;

/// <summary>A type of the format. Names are the format's; a file's tensors are ordered by type, the last of this table first.</summary>
internal sealed record SafetensorsType(string Name, ScalarType Type, int Bytes)
{
    /// <summary>In the order of the reference implementation's enumeration: by alignment.</summary>
    public static readonly SafetensorsType[] All =
    [
        new("BOOL", ScalarType.Bool, 1),
        new("U8", ScalarType.Byte, 1),
        new("I8", ScalarType.Int8, 1),
        new("F8_E5M2", (ScalarType)23, 1),   // c10::ScalarType::Float8_e5m2, which TorchSharp has no name for
        new("F8_E4M3", (ScalarType)24, 1),   // c10::ScalarType::Float8_e4m3fn
        new("I16", ScalarType.Int16, 2),
        new("F16", ScalarType.Float16, 2),
        new("BF16", ScalarType.BFloat16, 2),
        new("I32", ScalarType.Int32, 4),
        new("F32", ScalarType.Float32, 4),
        new("F64", ScalarType.Float64, 8),
        new("I64", ScalarType.Int64, 8),
    ];

    public static string Names => string.Join(", ", All.Select(type => type.Name));

    public static SafetensorsType? Find(string name) => Array.Find(All, type => type.Name == name);

    public static SafetensorsType? Find(ScalarType type) => Array.Find(All, entry => entry.Type == type);

    public int Order => Array.IndexOf(All, this);
}
