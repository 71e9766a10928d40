using CsCheck;
using LlmTune.Io;

namespace LlmTune.Tests.Io;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>reference.py's tensors.</summary>
    [Fact]
    public void A_file_is_byte_for_byte_that_of_the_reference_implementation()
    {
        using var scope = NewDisposeScope();
        string[] names = ["float32", "bool", "int64", "float16", "uint8", "float64", "int8", "bfloat16", "int32", "float8_e4m3fn", "int16", "float8_e5m2"];
        var tensors = new Dictionary<string, Tensor>();
        using (var reference = SafetensorsFile.Open(Path.Combine(SafetensorsFiles.Golden, "reference_types.safetensors")))
        {
            for (var i = 0; i < names.Length; i++)
            {
                var type = reference.Tensors["a." + names[i]].Type;
                tensors["b." + names[i]] = SafetensorsFiles.Counting(type, [2, 3], i);
                tensors["a." + names[i]] = SafetensorsFiles.Counting(type, [], i);
            }
        }
        tensors["empty"] = empty(0, 4);
        tensors["né \"quoted\"\\名\t"] = SafetensorsFiles.Counting(ScalarType.Float32, [1], 7);
        SafetensorsWriter.Write(_folder["types.safetensors"], tensors);
        Assert.Equal(File.ReadAllBytes(Path.Combine(SafetensorsFiles.Golden, "reference_types.safetensors")), File.ReadAllBytes(_folder["types.safetensors"]));
    }

    [Fact]
    public void Shards_are_byte_for_byte_those_of_Hugging_Face()
    {
        using var scope = NewDisposeScope();
        var plan = Enumerable.Range(0, 5).Select(n => ($"layer.{n}.weight", new long[] { n + 1, 4 }, ScalarType.Float32)).ToList();
        SafetensorsWriter.WriteFolder(_folder.Path, plan, name => Numbered(name["layer.".Length] - '0'), maxShardBytes: 100);
        var reference = Path.Combine(SafetensorsFiles.Golden, "reference_shards");
        Assert.Equal(Directory.GetFiles(reference).Select(Path.GetFileName).Order(StringComparer.Ordinal), _folder.Names);
        Assert.All(_folder.Names, name => Assert.Equal(File.ReadAllBytes(Path.Combine(reference, name)), File.ReadAllBytes(_folder[name])));

        static Tensor Numbered(int n) => SafetensorsFiles.Counting(ScalarType.Float32, [n + 1, 4], n);
    }

    [Fact]
    public void What_is_written_is_read_again()
    {
        var tensor = Gen.Select(Gen.Int[0, SafetensorsFiles.Types.Length - 1], Gen.Long[0, 5].Array[0, 4], Gen.Bool, Gen.ULong);
        Gen.Dictionary(Gen.String[1, 8].Where(name => !name.Any(char.IsSurrogate)), tensor)[0, 6].Sample(tensors =>
        {
            using var scope = NewDisposeScope();
            var written = tensors.ToDictionary(t => t.Key, t => Random(SafetensorsFiles.Types[t.Value.Item1], t.Value.Item2, t.Value.Item3, t.Value.Item4));
            SafetensorsWriter.Write(_folder["a.safetensors"], written);
            using var file = SafetensorsFile.Open(_folder["a.safetensors"]);
            Assert.Equal(written.Keys.ToHashSet(), file.Tensors.Keys.ToHashSet());
            foreach (var (name, expected) in written)
            {
                var actual = file.Alias(name);
                Assert.Equal(expected.dtype, actual.dtype);
                Assert.Equal(expected.shape, actual.shape);
                Assert.Equal(SafetensorsFiles.Bytes(expected), SafetensorsFiles.Bytes(actual));
            }
        }, iter: 300, threads: 1);
    }

    /// <summary>Any bits, NaN too; if asked for, with the first and last dimension swapped, so that it is not contiguous.</summary>
    private static Tensor Random(ScalarType type, long[] shape, bool transposed, ulong seed)
    {
        var tensor = zeros(shape, dtype: type);
        if (tensor.numel() > 0)
        {
            var bytes = tensor.view(-1).bytes;
            new Random((int)seed).NextBytes(bytes);
            if (type == ScalarType.Bool)
            {
                foreach (ref var value in bytes) value &= 1;
            }
        }
        return transposed && shape.Length > 1 ? tensor.transpose(0, -1) : tensor;
    }

    [Fact]
    public void Tensors_larger_than_a_chunk_are_written_whole()
    {
        using var large = arange(40_000_000, dtype: ScalarType.Int32);
        SafetensorsWriter.Write(_folder["a.safetensors"], [new("a", large)]);
        using var file = SafetensorsFile.Open(_folder["a.safetensors"]);
        using var read = file.Alias("a");
        Assert.True(read.eq(large).all().ToBoolean());
    }

    [Fact]
    public void Gradients_do_not_matter_and_metadata_are_kept()
    {
        using var tensor = ones(2, 2, requires_grad: true);
        SafetensorsWriter.Write(_folder["a.safetensors"], [new("a", tensor)], new Dictionary<string, string> { ["format"] = "pt", ["step"] = "3" });
        using var file = SafetensorsFile.Open(_folder["a.safetensors"]);
        Assert.Equal(new Dictionary<string, string> { ["format"] = "pt", ["step"] = "3" }, file.Metadata);
    }

    [Fact]
    public void A_tensor_is_asked_for_when_it_is_written_and_freed_before_the_next()
    {
        var baseline = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var live = new List<long>();
        var plan = Enumerable.Range(0, 4).Select(n => ($"t{n}", new long[] { 3 }, ScalarType.Float32)).ToList();
        SafetensorsWriter.WriteFolder(_folder.Path, plan, _ =>
        {
            live.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount - baseline);
            return ones(3) * 2;
        }, maxShardBytes: 24);
        Assert.Equal([0, 0, 0, 0], live);
        Assert.Equal(baseline, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void A_shard_takes_what_fits_and_what_is_larger_stands_alone()
    {
        static TensorInfo Of(long bytes) => new("t", ScalarType.Byte, [bytes], 0, bytes);
        static IEnumerable<long[]> Sizes(long max, params long[] bytes) =>
            SafetensorsWriter.Split(bytes.Select(Of), max).Select(shard => shard.Select(t => t.Bytes).ToArray());
        Assert.Equal([[60, 40], [1]], Sizes(100, 60, 40, 1));
        Assert.Equal([[101], [60, 40]], Sizes(100, 60, 101, 40));
        Assert.Equal([[]], Sizes(100));
    }

    [Fact]
    public void Writing_again_leaves_no_file_of_the_earlier_weights()
    {
        File.WriteAllText(_folder["model_card.safetensors.txt"], "mine");
        var plan = Enumerable.Range(0, 4).Select(n => ($"t{n}", new long[] { 3 }, ScalarType.Float32)).ToList();
        SafetensorsWriter.WriteFolder(_folder.Path, plan, _ => ones(3), maxShardBytes: 12);
        Assert.Equal(6, _folder.Names.Count());
        SafetensorsWriter.WriteFolder(_folder.Path, plan, _ => ones(3), maxShardBytes: 24);
        Assert.Equal(
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "model_card.safetensors.txt"],
            _folder.Names);
        SafetensorsWriter.WriteFolder(_folder.Path, plan, _ => ones(3));
        Assert.Equal(["model.safetensors", "model_card.safetensors.txt"], _folder.Names);
    }

    [Fact]
    public void A_failure_leaves_what_was_there()
    {
        var path = _folder["a.safetensors"];
        SafetensorsWriter.Write(path, [new("a", ones(3))]);
        var before = File.ReadAllBytes(path);
        (string, long[], ScalarType)[] plan = [("a", [3], ScalarType.Float32), ("b", [2], ScalarType.Float32)];
        var error = Assert.Throws<RunException>(() => SafetensorsWriter.WriteFolder(_folder.Path, plan, _ => zeros(3), baseName: "a"));
        Assert.Equal($"{path}: tensor 'b' was announced as Float32 (2) and is Float32 (3)", error.Message);
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal(["a.safetensors"], _folder.Names);
    }

    [Fact]
    public void Wrong_requests_are_refused_by_name()
    {
        var path = _folder["a.safetensors"];
        using var complex = zeros(2, dtype: ScalarType.ComplexFloat32);
        using var one = ones(1);
        Assert.Equal(
            $"{path}: tensor 'z' is of type ComplexFloat32; safetensors files hold BOOL, U8, I8, F8_E5M2, F8_E4M3, I16, F16, BF16, I32, F32, F64, I64",
            Error(() => SafetensorsWriter.Write(path, [new("z", complex)])));
        Assert.Equal($"{path}: two tensors are called 'z'", Error(() => SafetensorsWriter.Write(path, [new("z", one), new("z", one)])));
        Assert.Equal($"{path}: no tensor can be called __metadata__", Error(() => SafetensorsWriter.Write(path, [new("__metadata__", one)])));
        (string, long[], ScalarType) z = ("z", [1], ScalarType.Float32);
        Assert.Equal($"{_folder.Path}: two tensors are called 'z'", Error(() => SafetensorsWriter.WriteFolder(_folder.Path, [z, z], _ => one)));
        Assert.Empty(_folder.Names);

        static string Error(Action write) => Assert.Throws<RequestException>(write).Message;
    }
}
