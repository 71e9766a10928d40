namespace LlmTune.Io;

/// <summary>A tensor as a safetensors header describes it.</summary>
/// <param name="Offset">Of its first byte, from the beginning of the file.</param>
/// <param name="Bytes">Its size.</param>
public sealed record TensorInfo(string Name, ScalarType Type, long[] Shape, long Offset, long Bytes)
{
    public string ShapeText => $"({string.Join(", ", Shape)})";
}
