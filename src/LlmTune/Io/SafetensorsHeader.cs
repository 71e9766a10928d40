using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;

namespace LlmTune.Io;

/// <summary>
/// The beginning of a safetensors file: eight bytes (little endian) with the length of the JSON that follows,
/// <c>{"__metadata__": {"k": "v"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}</c>, padded with spaces;
/// then the data, which the tensors must cover in one piece without holes or overlaps.
/// </summary>
internal sealed record SafetensorsHeader(IReadOnlyDictionary<string, TensorInfo> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    public const int LengthBytes = 8;
    public const string MetadataKey = "__metadata__";

    /// <summary>The reference implementation's own limit.</summary>
    public const long Longest = 100_000_000;

    private const int ProblemsShown = 20;

    /// <summary>How long the JSON is, from the first eight bytes.</summary>
    public static int JsonLength(string path, ReadOnlySpan<byte> start, long fileBytes)
    {
        if (start.Length < LengthBytes)
        {
            throw new RunException(
                $"{path} has {fileBytes} bytes and is no safetensors file, which begins with the 8 bytes of its header's length; is the download complete?");
        }
        var length = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (length > Longest)
            throw new RunException($"{path} is no safetensors file: it claims a header of {length} bytes, and {Longest} is the limit");
        if ((long)length > fileBytes - LengthBytes)
        {
            throw new RunException(
                $"{path} is cut off: its header has {length} bytes, and {fileBytes - LengthBytes} follow; copy or download it again");
        }
        return (int)length;
    }

    /// <summary>Reads and checks everything the header says; all problems are reported at once.</summary>
    public static SafetensorsHeader Parse(string path, ReadOnlyMemory<byte> json, long fileBytes)
    {
        if (json.IsEmpty || json.Span[0] != '{')
            throw new RunException($"{path} is no safetensors file: its header must be a JSON object, which begins with '{{'");
        var problems = new List<string>();
        var tensors = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        IReadOnlyDictionary<string, string> metadata = new Dictionary<string, string>();
        var dataStart = LengthBytes + (long)json.Length;
        try
        {
            using var document = JsonDocument.Parse(json);
            foreach (var entry in document.RootElement.EnumerateObject())
            {
                if (entry.NameEquals(MetadataKey)) metadata = ReadMetadata(entry.Value, problems);
                else if (ReadTensor(entry.Name, entry.Value, dataStart, problems) is { } tensor && !tensors.TryAdd(tensor.Name, tensor))
                    problems.Add($"{tensor.Name}: stands there twice");
            }
        }
        catch (JsonException e)
        {
            throw new RunException($"{path} has a header that is not JSON: {(Utf8.IsValid(json.Span) ? JsonMistake.Find(json.Span).What : "it is not UTF-8")}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new RunException($"{path} has a header with a text that is not Unicode", e);
        }
        if (problems.Count == 0) CheckLayout(tensors.Values, dataStart, fileBytes, problems);
        if (problems.Count == 0) return new SafetensorsHeader(tensors, metadata);
        var shown = problems.Take(ProblemsShown).Select(problem => "\n  " + problem);
        var more = problems.Count > ProblemsShown ? $"\n  and {problems.Count - ProblemsShown} more" : "";
        throw new RunException($"{path} is damaged, or of a kind that is not read:{string.Concat(shown)}{more}");
    }

    private static Dictionary<string, string> ReadMetadata(JsonElement value, List<string> problems)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        if (value.ValueKind != JsonValueKind.Object)
        {
            problems.Add($"{MetadataKey}: {value.ValueKind}, expected an object of texts");
            return metadata;
        }
        foreach (var entry in value.EnumerateObject())
        {
            if (entry.Value.ValueKind == JsonValueKind.String) metadata[entry.Name] = entry.Value.GetString()!;
            else problems.Add($"{MetadataKey}.{entry.Name}: {entry.Value.ValueKind}, expected text");
        }
        return metadata;
    }

    private static TensorInfo? ReadTensor(string name, JsonElement value, long dataStart, List<string> problems)
    {
        TensorInfo? Wrong(string problem)
        {
            problems.Add($"{name}: {problem}");
            return null;
        }

        if (value.ValueKind != JsonValueKind.Object) return Wrong($"{value.ValueKind}, expected an object with dtype, shape and data_offsets");
        if (!value.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String) return Wrong("no dtype");
        if (SafetensorsType.Find(dtype.GetString()!) is not { } type)
            return Wrong($"dtype {dtype.GetString()} is not read; it must be one of {SafetensorsType.Names}");
        if (!value.TryGetProperty("shape", out var shapeJson) || Naturals(shapeJson) is not { } shape)
            return Wrong($"shape must be a list of integers from 0 to {long.MaxValue}");
        if (!value.TryGetProperty("data_offsets", out var offsets) || Naturals(offsets) is not [var begin, var end])
            return Wrong($"data_offsets must be two integers from 0 to {long.MaxValue}");
        if (begin > end) return Wrong($"data_offsets end ({end}) before they begin ({begin})");
        long bytes;
        try
        {
            bytes = checked(shape.Aggregate(1L, (product, size) => checked(product * size)) * type.Bytes);
            _ = checked(dataStart + end);
        }
        catch (OverflowException)
        {
            return Wrong($"shape ({string.Join(", ", shape)}) or data_offsets are larger than any file");
        }
        return bytes == end - begin
            ? new TensorInfo(name, type.Type, shape, dataStart + begin, bytes)
            : Wrong($"shape ({string.Join(", ", shape)}) of {type.Name} takes {bytes} bytes, data_offsets give {end - begin}");
    }

    private static long[]? Naturals(JsonElement list)
    {
        if (list.ValueKind != JsonValueKind.Array) return null;
        var numbers = new long[list.GetArrayLength()];
        var i = 0;
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out numbers[i]) || numbers[i++] < 0) return null;
        }
        return numbers;
    }

    private static void CheckLayout(IEnumerable<TensorInfo> tensors, long dataStart, long fileBytes, List<string> problems)
    {
        var expected = dataStart;
        foreach (var tensor in tensors.OrderBy(tensor => tensor.Offset).ThenBy(tensor => tensor.Bytes))
        {
            if (tensor.Offset != expected)
            {
                var what = tensor.Offset < expected ? "overlaps the tensor before it" : "leaves a hole after the tensor before it";
                problems.Add($"{tensor.Name}: {what}: its data begin at {tensor.Offset - dataStart}, expected {expected - dataStart}");
            }
            expected = tensor.Offset + tensor.Bytes;
        }
        if (problems.Count == 0 && expected != fileBytes)
        {
            problems.Add(expected > fileBytes
                ? $"cut off: the tensors need {expected} bytes, the file has {fileBytes}; copy or download it again"
                : $"{fileBytes - expected} bytes follow the last tensor");
        }
    }
}
