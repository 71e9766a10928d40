using LlmTune.Config;
using LlmTune.Recipes.OtherTools;

namespace LlmTune.Tests.Recipes.OtherTools;

/// <summary>Which tool a file belongs to.</summary>
public class ForeignToolTests
{
    private static string Refusal(string yaml) => Assert.Throws<ConfigException>(() => ForeignTools.Translate(yaml, new Place("f.yaml", "/run"))).Message;

    [Theory]
    [InlineData("model: { path: x }\ndata: { sources: [{ path: y }] }\ntraining: { output_dir: z }")]
    [InlineData("model: Qwen/Qwen3-0.6B\ndata: x\ntraining: y")]
    [InlineData("")]
    [InlineData("[1, 2]")]
    [InlineData("modle: { path: x }")]
    public void What_is_no_file_of_theirs_is_left_to_our_reader(string yaml) => Assert.Null(ForeignTools.Translate(yaml, new Place("f.yaml", "/run")));

    [Theory]
    [InlineData("model_name_or_path: x\ndataset: y", "LLaMA-Factory")]
    [InlineData("base_model: x\ndatasets: []", "axolotl")]
    public void A_file_is_known_by_its_keys(string yaml, string tool) => Assert.Equal(tool, Theirs.Translate(yaml).Tool);

    [Theory]
    [InlineData("model_name_or_path: x\ntraining:\n  output_dir: y", "f.yaml:2:1: 'training' belongs to a run file of LlmTune, but 'model_name_or_path' in line 1 to one of LLaMA-Factory; a file is of one kind")]
    [InlineData("model_name_or_path: x\nbase_model: y", "f.yaml:2:1: 'base_model' belongs to a run file of axolotl, but 'model_name_or_path' in line 1 to one of LLaMA-Factory; a file is of one kind")]
    public void A_mixture_is_refused(string yaml, string message) => Assert.Equal(message, Refusal(yaml));

    [Theory]
    [InlineData("debug: false\ndistributed_type: FSDP", "f.yaml:2:1: distributed_type: this is the configuration of accelerate, which starts programs on several devices; a run needs none here: give the run file itself")]
    [InlineData("\"<|a|>\": begins\n\"<|b|>\": ends", "f.yaml:1:1: this is a list of new tokens with descriptions (LLaMA-Factory's new_special_tokens_config), no run file; adding tokens is not built")]
    [InlineData("one: { path: a.json, source: local }", "f.yaml:1:1: this is a list of data sets (LLaMA-Factory v1's train_dataset), no run file; name its files under data.sources of a run file")]
    public void Files_that_lie_beside_run_files_are_named(string yaml, string message) => Assert.Equal(message, Refusal(yaml));

    /// <summary>Every name in a table once, and every setting of ours that a default sets is one.</summary>
    [Fact]
    public void The_tables_have_no_key_twice()
    {
        foreach (var tool in ForeignTools.All)
        {
            var names = tool.Keys.Select(key => key.Name).ToList();
            Assert.Equal(names.Distinct(), names);
            Assert.All(tool.Keys.Where(key => key.Name[^1] != '*'), key => Assert.Same(key, tool.Find(key.Name)));
            Assert.All(tool.Marks, mark => Assert.NotNull(tool.Find(mark) ?? tool.Find(mark + ".name")));
        }
    }
}
