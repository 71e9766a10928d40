using LlmTune.Config;
using LlmTune.Models;
using LlmTune.Recipes;

namespace LlmTune.Tests.Models;

public class TrainablePartsTests
{
    private static TrainableParts Parse(string text) => ConfigFile.Parse<ModelConfig>($"path: x\ntrainable: {text}", "run.yaml").Trainable;

    [Fact]
    public void All_is_every_tensor() =>
        Assert.Equal(Decoder.TensorShapes(TinyModels.Spec("qwen3")).Select(t => t.Name).Order(), Parse("all").Of(TinyModels.Spec("qwen3")).Order());

    [Fact]
    public void The_last_layers_are_the_blocks_alone()
    {
        var names = Parse("{ last_layers: 2 }").Of(TinyModels.Spec("llama", layers: 12));
        Assert.Equal(2 * 9, names.Count);   // seven matrices and two norms each
        Assert.All(names, name => Assert.Matches(@"^model\.layers\.(10|11)\.", name));
    }

    [Theory]
    [InlineData("[lm_head]", "lm_head.weight")]
    [InlineData("[layers.1.self_attn.q_proj]", "model.layers.1.self_attn.q_proj.weight")]
    [InlineData("[model.norm, layers.0.mlp.*_proj.weight]", "model.layers.0.mlp.down_proj.weight model.layers.0.mlp.gate_proj.weight model.layers.0.mlp.up_proj.weight model.norm.weight")]
    [InlineData("[norm]", "model.norm.weight")]
    [InlineData("['layers.*.input_layernorm']", "model.layers.0.input_layernorm.weight model.layers.1.input_layernorm.weight model.layers.2.input_layernorm.weight")]
    public void Patterns_are_whole_parts_of_names(string patterns, string names) =>
        Assert.Equal(names, string.Join(' ', Parse(patterns).Of(TinyModels.Spec("llama")).Order(StringComparer.Ordinal)));

    [Theory]
    [InlineData("llama", "{ last_layers: 4 }", "model.trainable asks for the last 4 layers, the model has 3")]
    [InlineData("llama", "[q_prj, lm_head, layers.3]", "model.trainable names what the model does not have: 'q_prj', did you mean 'q_proj'?; 'layers.3', did you mean 'layers'?")]
    [InlineData("qwen2", "[lm_head]", "model.trainable names what the model does not have: 'lm_head', the head is tied to the embedding; embed_tokens trains both")]
    public void What_the_model_does_not_have_is_named(string family, string parts, string message) =>
        Assert.Equal(message, Assert.Throws<RequestException>(() => Parse(parts).Of(TinyModels.Spec(family))).Message);

    [Theory]
    [InlineData("none", "run.yaml:2:12: trainable must be all, { last_layers: N } or a list of name patterns, got 'none'")]
    [InlineData("[]", "run.yaml:2:12: trainable must be all, { last_layers: N } or a list of name patterns, got a list")]
    [InlineData("{ last_layers: 0 }", "run.yaml:2:27: trainable.last_layers must be at least 1, got 0")]
    [InlineData("{ last_layers: two }", "run.yaml:2:27: trainable.last_layers must be a whole number, got 'two'")]
    [InlineData("{ first_layers: 2 }", "run.yaml:2:12: trainable must be all, { last_layers: N } or a list of name patterns, got a section")]
    public void What_is_not_understood_is_said(string text, string message) =>
        Assert.Equal(message, Assert.Throws<ConfigException>(() => Parse(text)).Message);

    [Theory]
    [InlineData("all")]
    [InlineData("{ last_layers: 2 }")]
    [InlineData("[q_proj, '*norm']")]
    public void It_is_written_as_it_reads(string text)
    {
        var config = ConfigFile.Parse<ModelConfig>($"path: /x\ntrainable: {text}", "run.yaml");
        Assert.Equal(config, ConfigFile.Parse<ModelConfig>(ConfigFile.ToYaml(config), "run.yaml"));
    }

    [Theory]
    [InlineData("trainable: [q_proj] }\nadapter: { r: 4 }", "run.yaml:1:32: model.trainable has no effect beside an adapter, which alone is trained; leave one of the two out")]
    [InlineData("init: random }\nadapter: { r: 4 }", "run.yaml:1:27: model.init is random, but an adapter needs a base that can be loaded again; leave the adapter section out")]
    [InlineData("dtype: float16 }", "run.yaml:1:28: model.dtype must be bfloat16 or float32 where the model itself is trained: gradients in float16 vanish")]
    public void What_makes_no_sense_together_is_refused(string rest, string message)
    {
        var yaml = $"model: {{ path: a/b, {rest}\ndata: {{ sources: [{{ path: a.jsonl }}] }}\ntraining: {{ output_dir: out }}";
        Assert.Equal(message, Assert.Throws<ConfigException>(() => ConfigFile.Parse<RunConfig>(yaml, "run.yaml")).Message);
    }
}
