using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Recipes;

namespace LlmTune.Tests.Recipes;

public sealed class InitModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ModelSpec Run(InitModelRequest request) => InitModel.Run(request with { Output = _folder[request.Output] });

    /// <summary>The publishers' own counts.</summary>
    [Theory]
    [InlineData("qwen2.5-0.5b", 494_032_768)]
    [InlineData("qwen2.5-1.5b", 1_543_714_304)]
    [InlineData("qwen2.5-3b", 3_085_938_688)]
    [InlineData("qwen2.5-7b", 7_615_616_512)]
    [InlineData("llama3-8b", 8_030_261_248)]
    public void Named_shapes_have_as_many_parameters_as_the_models_have(string name, long parameters)
    {
        File.WriteAllText(_folder["config.json"], NamedShapes.All[name]);
        Assert.Equal(parameters, FamilyTable.Read(ConfigJson.Read(_folder["config.json"])).Parameters);
    }

    [Fact]
    public void The_weights_are_those_that_training_from_random_draws()
    {
        using var scope = NewDisposeScope();
        var spec = Run(new InitModelRequest { Shape = "tiny", Output = "tiny", Seed = 5, MaxShardBytes = 200_000 });
        using var written = SafetensorsFolder.Open(_folder["tiny"]);
        using var drawn = ModelFolder.Open(_folder["tiny"]).Draw(CPU, ScalarType.Float32, seed: 5);
        Assert.True(Directory.GetFiles(_folder["tiny"], "*.safetensors").Length > 1);
        Assert.Equal(spec.Parameters, written.Tensors.Keys.Sum(name => written.Alias(name).numel()));
        foreach (var (name, view) in drawn.Tensors.SelectMany(t => t.Views)) Assert.True(view.eq(written.Alias(name)).all().ToBoolean(), name);
        var embedding = written.Alias(Decoder.EmbeddingWeight);
        Close.Assert(0.02, embedding.std().ToDouble(), "standard deviation", 0.02);
        using var model = ModelFolder.Open(_folder["tiny"]).Load(CPU, ScalarType.Float32);
    }

    [Fact]
    public void Layers_type_and_seed_are_as_asked_for()
    {
        using var scope = NewDisposeScope();
        Run(new InitModelRequest { Shape = "tiny", Output = "a", Layers = 1, Dtype = ModelDtype.BFloat16 });
        Run(new InitModelRequest { Shape = _folder["a"], Output = "b", Layers = 2, Seed = 1 });
        var (a, b) = (ModelFolder.Open(_folder["a"]).Spec, ModelFolder.Open(_folder["b"]).Spec);
        Assert.Equal((1, ScalarType.BFloat16, 2, ScalarType.BFloat16), (a.Blocks.Count, a.StoredType!.Value, b.Blocks.Count, b.StoredType!.Value));
        using var first = SafetensorsFolder.Open(_folder["a"]);
        using var second = SafetensorsFolder.Open(_folder["b"]);
        Assert.All(first.Tensors.Values, tensor => Assert.Equal(ScalarType.BFloat16, tensor.Type));
        Assert.False(first.Alias(Decoder.EmbeddingWeight).eq(second.Alias(Decoder.EmbeddingWeight)).all().ToBoolean());
    }

    [Fact]
    public void The_tokenizer_is_copied_and_must_fit()
    {
        var spec = Run(new InitModelRequest { Shape = "tiny", Output = "tiny", Tokenizer = RealModels.Stories });
        Assert.Equal(512, spec.Vocabulary);
        Assert.Equal([2], spec.EndTokens);
        Assert.True(File.Exists(_folder["tiny/tokenizer.json"]));
        File.WriteAllText(_folder["small.json"], TinyModels.Config("llama"));
        var error = Assert.Throws<RequestException>(() => Run(new InitModelRequest { Shape = _folder["small.json"], Output = "small", Tokenizer = RealModels.Stories }));
        Assert.EndsWith("has 512 ids, the shape's vocab_size is 61; take another tokenizer, or a config.json with a larger vocab_size", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["small"]));
    }

    [Fact]
    public void What_is_neither_name_nor_file_is_said()
    {
        var error = Assert.Throws<RequestException>(() => Run(new InitModelRequest { Shape = "qwen2.5-7", Output = "x" }));
        Assert.Equal("'qwen2.5-7' is neither the name of a shape (tiny, qwen2.5-0.5b, qwen2.5-1.5b, qwen2.5-3b, qwen2.5-7b, llama3-8b) nor a config.json, did you mean 'qwen2.5-7b'?", error.Message);
    }
}
