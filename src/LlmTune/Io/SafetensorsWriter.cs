using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using static System.FormattableString;

namespace LlmTune.Io;

/// <summary>
/// Writes safetensors files byte for byte as the reference implementation does: tensors by type (most strictly aligned first),
/// then by name, the header padded to 8 bytes. Files appear whole or not at all (<see cref="AtomicFile"/>); beyond the tensor
/// that is being written nothing is copied.
/// </summary>
public static class SafetensorsWriter
{
    /// <summary>Hugging Face's own shard size.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    private const long ChunkBytes = 64 << 20;

    private static readonly IReadOnlyDictionary<string, string> DefaultMetadata = new Dictionary<string, string> { ["format"] = "pt" };
    private static readonly JsonWriterOptions HeaderOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonWriterOptions IndexOptions = HeaderOptions with { Indented = true, NewLine = "\n" };

    /// <summary>One file. The tensors may lie on any device, in any strides.</summary>
    /// <param name="metadata">{"format": "pt"} by default, without which transformers refuses a file.</param>
    public static void Write(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var byName = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in tensors)
        {
            if (!byName.TryAdd(name, tensor)) throw new RequestException($"{path}: two tensors are called '{name}'");
        }
        var plan = byName.Select(entry => Planned(path, entry.Key, entry.Value.shape, entry.Value.dtype)).ToList();
        WriteFile(path, plan, name => byName[name], metadata ?? DefaultMetadata);
    }

    /// <summary>
    /// <c>model.safetensors</c>, or if that were larger than <paramref name="maxShardBytes"/> shards <c>model-00001-of-0000N.safetensors</c>
    /// in the order of the plan with <c>model.safetensors.index.json</c>. Files that an earlier call left under these names are removed.
    /// </summary>
    /// <param name="get">Asked for each tensor when it is written, in a dispose scope: what it allocates is freed afterwards.</param>
    /// <param name="baseName">What the files are called: model, adapter_model.</param>
    public static void WriteFolder(
        string folder, IReadOnlyList<(string Name, long[] Shape, ScalarType Type)> plan, Func<string, Tensor> get,
        long maxShardBytes = DefaultShardBytes, IReadOnlyDictionary<string, string>? metadata = null, string baseName = "model")
    {
        var tensors = plan.Select(entry => Planned(folder, entry.Name, entry.Shape, entry.Type)).ToList();
        if (tensors.CountBy(tensor => tensor.Name).FirstOrDefault(count => count.Value > 1) is { Key: { } twice })
            throw new RequestException($"{folder}: two tensors are called '{twice}'");
        var shards = Split(tensors, maxShardBytes);
        Directory.CreateDirectory(folder);
        var names = Enumerable.Range(1, shards.Count)
            .Select(i => shards.Count == 1 ? $"{baseName}.safetensors" : Invariant($"{baseName}-{i:D5}-of-{shards.Count:D5}.safetensors"))
            .ToList();
        foreach (var (name, shard) in names.Zip(shards))
            WriteFile(Path.Combine(folder, name), shard, get, metadata ?? DefaultMetadata);
        if (shards.Count > 1)
        {
            var index = baseName + ".safetensors.index.json";
            AtomicFile.Write(Path.Combine(folder, index), stream => WriteIndex(stream, names, shards));
            names.Add(index);
        }
        RemoveOthers(folder, baseName, names);
    }

    /// <summary>As in Hugging Face's writer: a tensor that does not fit begins a shard, and one that is larger than a shard stands alone.</summary>
    internal static List<List<TensorInfo>> Split(IEnumerable<TensorInfo> tensors, long maxShardBytes)
    {
        List<List<TensorInfo>> shards = [];
        List<TensorInfo> current = [];
        var bytes = 0L;
        foreach (var tensor in tensors)
        {
            if (tensor.Bytes > maxShardBytes)
            {
                shards.Add([tensor]);
                continue;
            }
            if (bytes + tensor.Bytes > maxShardBytes)
            {
                shards.Add(current);
                current = [];
                bytes = 0;
            }
            current.Add(tensor);
            bytes += tensor.Bytes;
        }
        if (current.Count > 0 || shards.Count == 0) shards.Add(current);
        return shards;
    }

    private static TensorInfo Planned(string where, string name, long[] shape, ScalarType type)
    {
        var known = SafetensorsType.Find(type)
            ?? throw new RequestException($"{where}: tensor '{name}' is of type {type}; safetensors files hold {SafetensorsType.Names}");
        if (name == SafetensorsHeader.MetadataKey) throw new RequestException($"{where}: no tensor can be called {name}");
        return new TensorInfo(name, type, shape, 0, shape.Aggregate(1L, (product, size) => product * size) * known.Bytes);
    }

    private static void WriteFile(string path, List<TensorInfo> tensors, Func<string, Tensor> get, IReadOnlyDictionary<string, string> metadata)
    {
        var ordered = tensors
            .OrderByDescending(tensor => SafetensorsType.Find(tensor.Type)!.Order)
            .ThenBy(tensor => Encoding.UTF8.GetBytes(tensor.Name), Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)))
            .ToList();
        RequireSpace(path, ordered.Sum(tensor => tensor.Bytes));
        AtomicFile.Write(path, stream =>
        {
            WriteHeader(stream, ordered, metadata);
            foreach (var tensor in ordered)
            {
                using var scope = NewDisposeScope();
                var value = get(tensor.Name);
                if (value.dtype != tensor.Type || !value.shape.SequenceEqual(tensor.Shape))
                {
                    throw new RunException(
                        $"{path}: tensor '{tensor.Name}' was announced as {tensor.Type} {tensor.ShapeText} "
                        + $"and is {value.dtype} ({string.Join(", ", value.shape)})");
                }
                WriteData(stream, value);
            }
        });
    }

    private static void RequireSpace(string path, long bytes)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Directory.CreateDirectory(folder);
        var free = new DriveInfo(folder).AvailableFreeSpace;
        if (free < bytes)
            throw new RunException(Invariant($"{path} needs {bytes / 1e9:F1} GB and {free / 1e9:F1} GB are free on its disk; free some, or write elsewhere"));
    }

    private static void WriteHeader(Stream stream, List<TensorInfo> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(stackalloc byte[SafetensorsHeader.LengthBytes]);
        using (var json = new Utf8JsonWriter(buffer, HeaderOptions))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject(SafetensorsHeader.MetadataKey);
                foreach (var (key, value) in metadata) json.WriteString(key, value);
                json.WriteEndObject();
            }
            var offset = 0L;
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", SafetensorsType.Find(tensor.Type)!.Name);
                json.WriteStartArray("shape");
                foreach (var size in tensor.Shape) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.WrittenCount % 8 != 0) buffer.Write(" "u8);
        var header = buffer.WrittenSpan.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - SafetensorsHeader.LengthBytes);
        stream.Write(header);
    }

    /// <summary>Chunk by chunk, so that a tensor on a GPU never has a copy of its own here.</summary>
    private static void WriteData(Stream stream, Tensor tensor)
    {
        if (tensor.numel() == 0) return;
        var flat = tensor.detach().contiguous().view(-1);
        var step = ChunkBytes / flat.element_size();
        for (var start = 0L; start < flat.numel(); start += step)
        {
            using var chunk = flat.narrow(0, start, Math.Min(step, flat.numel() - start));
            using var here = chunk.cpu();
            stream.Write(here.bytes);
        }
    }

    private static void WriteIndex(Stream stream, List<string> files, List<List<TensorInfo>> shards)
    {
        var places = files.Zip(shards).SelectMany(pair => pair.Second, (pair, tensor) => (tensor.Name, File: pair.First));
        using var json = new Utf8JsonWriter(stream, IndexOptions);
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", shards.Sum(shard => shard.Sum(tensor => tensor.Bytes)));
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach (var (name, file) in places.OrderBy(place => place.Name, StringComparer.Ordinal)) json.WriteString(name, file);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void RemoveOthers(string folder, string baseName, List<string> written)
    {
        foreach (var path in Directory.GetFiles(folder, baseName + "*.safetensors*"))
        {
            var name = Path.GetFileName(path);
            var ours = name == baseName + ".safetensors" || name == baseName + ".safetensors.index.json"
                || Regex.IsMatch(name[baseName.Length..], @"^-\d{5}-of-\d{5}\.safetensors$");
            if (ours && !written.Contains(name)) File.Delete(path);
        }
        AtomicFile.FlushFolder(folder);
    }
}
