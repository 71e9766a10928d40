using LlmTune.Io;

namespace LlmTune.Tests.Io;

public sealed class SafetensorsFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Shards_are_one_set_of_tensors()
    {
        using var scope = NewDisposeScope();
        using var folder = SafetensorsFolder.Open(Path.Combine(SafetensorsFiles.Golden, "reference_shards"));
        Assert.Equal(Enumerable.Range(0, 5).Select(n => $"layer.{n}.weight"), folder.Tensors.Keys.Order());
        for (var n = 0; n < 5; n++)
            Close.Assert(SafetensorsFiles.Counting(ScalarType.Float32, [n + 1, 4], n), folder.Alias($"layer.{n}.weight"), $"layer {n}", bound: 0);
        Assert.Equal(4 * 4 * (1 + 2 + 3 + 4 + 5), folder.TotalBytes);
        Assert.Equal("model-00002-of-00003.safetensors", Path.GetFileName(folder.FileOf("layer.3.weight")));
    }

    [Fact]
    public void A_single_file_comes_before_an_index()
    {
        WriteShards();
        SafetensorsWriter.Write(_folder["model.safetensors"], [new("alone", ones(2))]);
        using var folder = SafetensorsFolder.Open(_folder.Path);
        Assert.Equal(["alone"], folder.Tensors.Keys);
    }

    [Fact]
    public void Another_name_and_any_single_index_are_found()
    {
        SafetensorsWriter.Write(_folder["adapter_model.safetensors"], [new("a", ones(2))]);
        using (var folder = SafetensorsFolder.Open(_folder.Path, "adapter_model")) Assert.Equal(["a"], folder.Tensors.Keys);
        WriteShards("other");
        using (var folder = SafetensorsFolder.Open(_folder.Path)) Assert.Equal(["a", "b", "c"], folder.Tensors.Keys.Order());
    }

    [Fact]
    public void A_shard_s_unlisted_tensors_belong_to_the_folder()
    {
        WriteShards();
        RewriteIndex("""{"weight_map": {"a": "model-00001-of-00003.safetensors"}}""");
        SafetensorsWriter.Write(_folder["model-00001-of-00003.safetensors"], [new("a", ones(1)), new("more", ones(1))]);
        using var folder = SafetensorsFolder.Open(_folder.Path);
        Assert.Equal(["a", "more"], folder.Tensors.Keys.Order());
    }

    [Fact]
    public void Everything_that_does_not_fit_is_reported_at_once()
    {
        WriteShards();
        RewriteIndex(
            """
            {"weight_map": {"a": "model-00001-of-00003.safetensors", "lost": "model-00001-of-00003.safetensors", "b": "model-00002-of-00003.safetensors",
            "c": "model-00003-of-00003.safetensors", "d": "../model.safetensors"}}
            """);
        File.Delete(_folder["model-00002-of-00003.safetensors"]);
        using (var cut = new FileStream(_folder["model-00003-of-00003.safetensors"], FileMode.Open)) cut.SetLength(cut.Length - 1);
        var length = new FileInfo(_folder["model-00003-of-00003.safetensors"]).Length;
        Assert.Equal(
            $"""
            {_folder["model.safetensors.index.json"]} and its shards do not fit together:
              '../model.safetensors' is no file name: shards lie beside the index
              {_folder["model-00002-of-00003.safetensors"]} does not exist
              {_folder["model-00003-of-00003.safetensors"]} is damaged, or of a kind that is not read:
                cut off: the tensors need {length + 1} bytes, the file has {length}; copy or download it again
              model-00001-of-00003.safetensors lacks lost
            """, Assert.Throws<RunException>(() => SafetensorsFolder.Open(_folder.Path)).Message);
    }

    [Fact]
    public void A_tensor_that_several_shards_hold_needs_the_index()
    {
        WriteShards();
        foreach (var n in (int[])[1, 2])
            SafetensorsWriter.Write(_folder[$"model-0000{n}-of-00003.safetensors"], [new(n == 1 ? "a" : "b", ones(1)), new("twice", ones(1))]);
        Assert.EndsWith(
            "\n  twice is in several shards (model-00001-of-00003.safetensors, model-00002-of-00003.safetensors), and the index does not say which counts",
            Assert.Throws<RunException>(() => SafetensorsFolder.Open(_folder.Path)).Message);
    }

    [Theory]
    [InlineData("[]", " has no weight_map, which names the file of each tensor")]
    [InlineData("""{"weight_map": {}}""", " has an empty weight_map")]
    [InlineData("""{"weight_map": {"a": 3}}""", ": weight_map.a must be the name of a file")]
    [InlineData("""{"weight_map": {"\ud800": "a"}}""", " is not JSON: ")]
    public void A_damaged_index_is_refused(string json, string message)
    {
        RewriteIndex(json);
        Assert.StartsWith(_folder["model.safetensors.index.json"] + message, Assert.Throws<RunException>(() => SafetensorsFolder.Open(_folder.Path)).Message);
    }

    [Fact]
    public void An_index_that_is_cut_off_is_refused()
    {
        RewriteIndex("{\"weight_map\": {");
        Assert.StartsWith(
            _folder["model.safetensors.index.json"] + ":1:17: not JSON: it ends within an object",
            Assert.Throws<RequestException>(() => SafetensorsFolder.Open(_folder.Path)).Message);
    }

    [Fact]
    public void A_folder_without_weights_says_what_it_has()
    {
        Assert.Equal($"{_folder["x"]} does not exist, or is no folder", Assert.Throws<RequestException>(() => SafetensorsFolder.Open(_folder["x"])).Message);
        var nothing = $"{_folder.Path} has no weights: neither model.safetensors nor model.safetensors.index.json";
        Assert.Equal(nothing, Assert.Throws<RequestException>(() => SafetensorsFolder.Open(_folder.Path)).Message);
        File.WriteAllText(_folder["pytorch_model.bin"], "");
        File.WriteAllText(_folder["config.json"], "");
        Assert.StartsWith(
            nothing + "; there is pytorch_model.bin, and only safetensors under these names are read. It holds pytorch_model.bin, PyTorch's pickle",
            Assert.Throws<RequestException>(() => SafetensorsFolder.Open(_folder.Path)).Message);
    }

    private void WriteShards(string baseName = "model") => SafetensorsWriter.WriteFolder(
        _folder.Path, [.. new[] { "a", "b", "c" }.Select(name => (name, new long[] { 1 }, ScalarType.Float32))], _ => ones(1), maxShardBytes: 4, baseName: baseName);

    private void RewriteIndex(string json) => File.WriteAllText(_folder["model.safetensors.index.json"], json);
}
