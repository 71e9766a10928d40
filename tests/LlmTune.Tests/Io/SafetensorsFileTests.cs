using System.Buffers.Binary;
using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Tests.Io;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The files of the reference implementation's own tests: here, and again where LLMTUNE_DATA has them.</summary>
    public static IEnumerable<TheoryDataRow<string, string>> Vectors()
    {
        List<string> folders = [SafetensorsFiles.Golden];
        if (Environment.GetEnvironmentVariable("LLMTUNE_DATA") is { Length: > 0 } data) folders.Add(Path.Combine(data, "vectors", "safetensors"));
        return
            from folder in folders
            from entry in JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "index.json"))).RootElement.GetProperty("cases").EnumerateArray()
            select new TheoryDataRow<string, string>(Path.Combine(folder, entry.GetProperty("file").GetString()!), entry.GetRawText());
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Reference_files_open_or_are_refused_as_by_the_reference_implementation(string path, string entry)
    {
        var expected = JsonDocument.Parse(entry).RootElement;
        if (expected.GetProperty("expect").GetString() != "ok")
        {
            Assert.StartsWith(path, Assert.Throws<RunException>(() => SafetensorsFile.Open(path)).Message);
            return;
        }
        using var file = SafetensorsFile.Open(path);
        var tensors = expected.GetProperty("tensors").EnumerateObject()
            .ToDictionary(t => t.Name, t => $"{t.Value[0]} [{string.Join(", ", t.Value[1].EnumerateArray())}]");
        Assert.Equal(tensors, file.Tensors.ToDictionary(t => t.Key, t => $"{SafetensorsType.Find(t.Value.Type)!.Name} [{string.Join(", ", t.Value.Shape)}]"));
        foreach (var name in tensors.Keys)
        {
            using var tensor = file.Alias(name);
            Assert.Equal(file.Tensors[name].Shape, tensor.shape);
        }
    }

    [Theory]
    [InlineData("bad_empty_file", "has 0 bytes and is no safetensors file, which begins with the 8 bytes of its header's length; is the download complete?")]
    [InlineData("bad_header_too_large", "is no safetensors file: it claims a header of")]
    [InlineData("bad_not_json", "has a header that is not JSON: it ends within an object; is the file cut off?")]
    [InlineData("bad_extra_data", "is damaged, or of a kind that is not read:\n  34 bytes follow the last tensor")]
    [InlineData("bad_shape_offset_mismatch", "is damaged, or of a kind that is not read:\n  test: shape (2, 2) of I32 takes 16 bytes, data_offsets give 4")]
    [InlineData("bad_overflow_shape", "  test: shape must be a list of integers from 0 to 9223372036854775807")]
    [InlineData("bad_overlapping_tensors", "  weight_1: overlaps the tensor before it: its data begin at 0, expected 16\n  weight_2: overlaps")]
    public void A_malformed_file_is_named_with_what_is_wrong(string name, string message)
    {
        var path = Path.Combine(SafetensorsFiles.Golden, name + ".safetensors");
        Assert.Contains(message, Assert.Throws<RunException>(() => SafetensorsFile.Open(path)).Message);
    }

    [Fact]
    public void All_problems_of_a_header_are_reported_at_once()
    {
        var path = _folder["wrong.safetensors"];
        File.WriteAllBytes(path, SafetensorsFiles.Raw(
            """
            {"__metadata__": {"step": 3}, "a": {"dtype": "U32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
            "c": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}, "d": 3, "e": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]},
            "f": {"shape": [1]}, "h": {"dtype": "F32", "shape": [4611686018427387904, 2], "data_offsets": [0, 4]},
            "g": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "g": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}
            """, 8));
        Assert.Equal(
            $"""
            {path} is damaged, or of a kind that is not read:
              __metadata__.step: Number, expected text
              a: dtype U32 is not read; it must be one of BOOL, U8, I8, F8_E5M2, F8_E4M3, I16, F16, BF16, I32, F32, F64, I64
              b: shape must be a list of integers from 0 to 9223372036854775807
              c: data_offsets end (0) before they begin (4)
              d: Number, expected an object with dtype, shape and data_offsets
              e: data_offsets must be two integers from 0 to 9223372036854775807
              f: no dtype
              h: shape (4611686018427387904, 2) or data_offsets are larger than any file
              g: stands there twice
            """, Assert.Throws<RunException>(() => SafetensorsFile.Open(path)).Message);
    }

    [Theory]
    [InlineData("""{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}""", 8, "a: leaves a hole after the tensor before it: its data begin at 4, expected 0")]
    [InlineData("""{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}""", 6, "cut off: the tensors need 77 bytes, the file has 75; copy or download it again")]
    [InlineData("{}", 3, "3 bytes follow the last tensor")]
    [InlineData("[]", 0, "is no safetensors file: its header must be a JSON object, which begins with '{'")]
    public void Holes_and_wrong_lengths_are_refused(string json, int dataBytes, string message)
    {
        var path = _folder["wrong.safetensors"];
        File.WriteAllBytes(path, SafetensorsFiles.Raw(json, dataBytes));
        Assert.EndsWith(message, Assert.Throws<RunException>(() => SafetensorsFile.Open(path)).Message);
    }

    [Fact]
    public void A_missing_file_is_a_wrong_request()
    {
        var path = _folder["absent.safetensors"];
        Assert.Equal($"{path} does not exist", Assert.Throws<RequestException>(() => SafetensorsFile.Open(path)).Message);
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        using var file = SafetensorsFile.Open(Path.Combine(SafetensorsFiles.Golden, "ok_2x2_i32.safetensors"));
        Assert.EndsWith("ok_2x2_i32.safetensors has no tensor 'weight'", Assert.Throws<RunException>(() => file.Alias("weight")).Message);
    }

    [Fact]
    public void Every_type_that_the_reference_implementation_writes_is_read()
    {
        using var file = SafetensorsFile.Open(Path.Combine(SafetensorsFiles.Golden, "reference_types.safetensors"));
        Assert.Equal("pt", file.Metadata["format"]);
        using var scope = NewDisposeScope();
        string[] names = ["float32", "bool", "int64", "float16", "uint8", "float64", "int8", "bfloat16", "int32", "float8_e4m3fn", "int16", "float8_e5m2"];
        ScalarType[] types =
        [
            ScalarType.Float32, ScalarType.Bool, ScalarType.Int64, ScalarType.Float16, ScalarType.Byte, ScalarType.Float64, ScalarType.Int8,
            ScalarType.BFloat16, ScalarType.Int32, (ScalarType)24, ScalarType.Int16, (ScalarType)23,
        ];
        for (var i = 0; i < names.Length; i++)
        {
            foreach (var (name, shape) in new[] { ("a." + names[i], Array.Empty<long>()), ("b." + names[i], [2, 3]) })
            {
                var tensor = file.Alias(name);
                Assert.Equal((types[i], name), (tensor.dtype, name));
                Assert.Equal(shape, tensor.shape);
                Assert.Equal(SafetensorsFiles.Bytes(SafetensorsFiles.Counting(types[i], shape, i)), SafetensorsFiles.Bytes(tensor));
            }
        }
        Assert.Equal([0L, 4L], file.Alias("empty").shape);
        Assert.Equal(7f, file.Alias("né \"quoted\"\\名\t").ToSingle());
        Assert.Equal(2 * names.Length + 2, file.Tensors.Count);
    }

    [Fact]
    public void A_tensor_outlives_the_file_object_and_the_file()
    {
        var path = _folder["a.safetensors"];
        SafetensorsWriter.Write(path, [new("a", arange(1000, dtype: ScalarType.Float32)), new("b", ones(3))]);
        var file = SafetensorsFile.Open(path);
        using var tensor = file.Alias("a");
        using var view = file.Alias("a").view(10, 100);
        file.Dispose();
        SafetensorsWriter.Write(path, [new("a", zeros(1000)), new("b", zeros(3))]);   // renamed over: the mapping keeps what it had
        File.Delete(path);
        Assert.Equal(499500f, tensor.sum().ToSingle());
        Assert.Equal(499500f, view.sum().ToSingle());
        Assert.Throws<ObjectDisposedException>(() => file.Alias("a"));
    }

    [Fact]
    public void The_mapping_ends_with_the_last_tensor()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("reads /proc");
        var path = _folder["mapped.safetensors"];
        SafetensorsWriter.Write(path, [new("a", arange(10)), new("b", ones(3))]);
        bool Mapped() => File.ReadAllText("/proc/self/maps").Contains(path, StringComparison.Ordinal);
        var file = SafetensorsFile.Open(path);
        Assert.True(Mapped());
        var (first, second, third) = (file.Alias("a"), file.Alias("a"), file.Alias("b"));
        file.Dispose();
        first.Dispose();
        third.Dispose();
        Assert.True(Mapped());
        second.Dispose();
        Assert.False(Mapped());
    }

    [Fact]
    public void An_alias_copies_nothing()
    {
        var path = _folder["a.safetensors"];
        SafetensorsWriter.Write(path, [new("a", zeros(4))]);
        using var file = SafetensorsFile.Open(path);
        using var first = file.Alias("a");
        using var second = file.Alias("a");
        Assert.True(System.Runtime.CompilerServices.Unsafe.AreSame(ref first.bytes[0], ref second.bytes[0]));
    }

    /// <summary>/proc/self/smaps says how much of a mapped file is resident.</summary>
    [Fact]
    public void A_forgotten_tensor_leaves_memory_and_is_read_again_where_it_is_used()
    {
        var path = _folder["large.safetensors"];
        using var values = arange(4_000_000, ScalarType.Int32);
        SafetensorsWriter.Write(path, new Dictionary<string, Tensor> { ["x"] = values, ["y"] = values });
        using var file = SafetensorsFile.Open(path);
        using var alias = file.Alias("x");
        Assert.Equal(7_999_998_000_000, alias.sum(ScalarType.Int64).ToInt64());
        var before = OperatingSystem.IsLinux() ? Resident(path) : 1 << 30;
        file.Forget("x");
        if (OperatingSystem.IsLinux()) Assert.InRange(Resident(path), 0, before - 15_000);   // 16 MB less a page at both ends
        Assert.Equal(7_999_998_000_000, alias.sum(ScalarType.Int64).ToInt64());

        static int Resident(string path) => int.Parse(
            File.ReadLines("/proc/self/smaps").SkipWhile(line => !line.EndsWith(path, StringComparison.Ordinal)).First(line => line.StartsWith("Rss:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Data_at_odd_addresses_are_read_too()
    {
        var path = _folder["odd.safetensors"];
        var raw = SafetensorsFiles.Raw("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F64","shape":[2,1],"data_offsets":[3,19]}}""", 19);
        BinaryPrimitives.WriteDoubleLittleEndian(raw.AsSpan(raw.Length - 16), 1.5);
        BinaryPrimitives.WriteDoubleLittleEndian(raw.AsSpan(raw.Length - 8), -2.5);
        File.WriteAllBytes(path, raw);
        using var file = SafetensorsFile.Open(path);
        using var tensor = file.Alias("b");
        Assert.Equal([2L, 1L], tensor.shape);
        Assert.Equal([1.5, -2.5], tensor.data<double>().ToArray());
    }

    /// <summary>Whatever byte is changed: the file is read, or refused with a message that names it.</summary>
    [Fact]
    public void No_changed_byte_does_more_than_a_clear_error()
    {
        var whole = File.ReadAllBytes(Path.Combine(SafetensorsFiles.Golden, "reference_types.safetensors"));
        var headerBytes = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(whole);
        var path = _folder["changed.safetensors"];
        var random = new Random(1);
        var refused = 0;
        const int Changes = 3000;
        for (var change = 0; change < Changes; change++)
        {
            var bytes = whole.ToArray();
            for (var n = random.Next(1, 4); n > 0; n--) bytes[random.Next(headerBytes)] = (byte)random.Next(256);
            File.WriteAllBytes(path, bytes);
            if (!Opens(path)) refused++;
        }
        Assert.InRange(refused, Changes / 2, Changes - 1);
    }

    [Fact]
    public void A_file_cut_off_anywhere_is_refused()
    {
        var whole = File.ReadAllBytes(Path.Combine(SafetensorsFiles.Golden, "reference_types.safetensors"));
        var path = _folder["cut.safetensors"];
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.False(Opens(path), $"opened with {length} of {whole.Length} bytes");
        }
    }

    private static bool Opens(string path)
    {
        try
        {
            using var file = SafetensorsFile.Open(path);
            foreach (var name in file.Tensors.Keys)
            {
                using var tensor = file.Alias(name);
                _ = SafetensorsFiles.Bytes(tensor);
            }
            return true;
        }
        catch (RunException e)
        {
            Assert.StartsWith(path, e.Message);
            return false;
        }
    }
}
