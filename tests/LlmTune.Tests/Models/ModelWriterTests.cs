using System.Text.Json.Nodes;
using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Models;

namespace LlmTune.Tests.Models;

public class ModelWriterTests
{
    public static IEnumerable<TheoryDataRow<string>> Families => TinyModels.Families;

    [Theory]
    [MemberData(nameof(Families))]
    public void A_written_model_gives_the_same_logits_bit_for_bit(string family)
    {
        using var scope = NewDisposeScope();
        using var source = new TemporaryFolder();
        using var written = new TemporaryFolder();
        File.WriteAllText(source["config.json"], TinyModels.Config(family));
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            using var model = ModelFolder.Open(source.Path).Draw(Golden.Device, type, seed: 3);
            ModelWriter.Write(written.Path, model, source.Path, source.Path, maxShardBytes: 10_000);
            using var again = ModelFolder.Open(written.Path).Load(Golden.Device, type);
            Assert.True(Logits(model).eq(Logits(again)).all().ToBoolean());
            Assert.Equal(type, ModelFolder.Open(written.Path).Spec.StoredType);
            using var files = SafetensorsFolder.Open(written.Path);
            Assert.Equal(Decoder.TensorShapes(model.Spec).Select(t => t.Name).Order(), files.Tensors.Keys.Order());   // a tied head is not there
            Assert.All(files.Tensors.Values, tensor => Assert.Equal(type, tensor.Type));
        }
        Assert.Contains("model.safetensors.index.json", written.Names);
    }

    [Fact]
    public void Everything_but_weights_and_card_is_copied()
    {
        using var from = new TemporaryFolder();
        using var tokenizer = new TemporaryFolder();
        using var to = new TemporaryFolder();
        File.WriteAllText(from["config.json"], TinyModels.Config("llama"));
        foreach (var name in new[] { "generation_config.json", "tokenizer.json", "README.md", "pytorch_model.bin", ".gitattributes" }) File.WriteAllText(from[name], "base");
        foreach (var name in new[] { "tokenizer.json", "chat_template.jinja" }) File.WriteAllText(tokenizer[name], "other");
        using var model = ModelFolder.Open(from.Path).Draw(CPU, ScalarType.Float32, seed: 3);
        ModelWriter.Write(to.Path, model, from.Path, tokenizer.Path);
        Assert.Equal(["chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"], to.Names);
        Assert.Equal("base", File.ReadAllText(to["generation_config.json"]));
        Assert.Equal("other", File.ReadAllText(to["tokenizer.json"]));
    }

    [Theory]
    [InlineData("""{"torch_dtype":"float32"}""", """{"torch_dtype":"bfloat16"}""")]
    [InlineData("""{"dtype":"float32"}""", """{"dtype":"bfloat16"}""")]
    [InlineData("{}", """{"dtype":"bfloat16"}""")]
    [InlineData("""{"dtype":"float16","torch_dtype":"float32"}""", """{"dtype":"bfloat16","torch_dtype":"bfloat16"}""")]
    public void The_type_stands_where_the_config_has_it(string before, string after)
    {
        var config = (JsonObject)JsonNode.Parse(before)!;
        ModelWriter.SetType(config, ScalarType.BFloat16);
        Assert.Equal(after, config.ToJsonString());
    }

    private static Tensor Logits(Decoder model)
    {
        using var _ = no_grad();
        int[] ids = [3, 1, 4, 1, 5, 9, 2, 6];
        var pass = new Pass(model.Packed([.. Enumerable.Range(0, ids.Length)], [0, ids.Length]));
        return model.Logits(model.Forward(tensor(ids, ScalarType.Int64, model.Device), pass), pass);
    }
}
