using LlmTune.Adapters;
using LlmTune.Config;
using LlmTune.Recipes;

namespace LlmTune.Tests.Adapters;

public class ModuleSelectorFormTests
{
    private static ModuleSelector Of(string text, params string[] overrides) => ((LoraConfig)ConfigFile.Parse<RunConfig>(
        $"model: {{ path: x/y }}\nadapter: {{ target_modules: {text} }}\ndata: {{ sources: [{{ path: a.jsonl }}] }}\ntraining: {{ output_dir: out }}", "run.yaml", overrides).Adapter!).TargetModules;

    /// <summary>As a regular expression over whole names such a text could match no module, since none has a comma.</summary>
    [Theory]
    [InlineData("\"q_proj,v_proj\"")]
    [InlineData("'q_proj, v_proj'")]
    [InlineData("\" q_proj ,v_proj \"")]
    [InlineData("[q_proj, v_proj]")]
    public void Names_between_commas_are_a_list(string text) => Assert.Equal(ModuleSelector.Names("q_proj", "v_proj"), Of(text));

    [Fact]
    public void On_the_command_line_too() => Assert.Equal(ModuleSelector.Names("q_proj", "v_proj"), Of("all-linear", "adapter.target_modules=q_proj,v_proj"));

    [Theory]
    [InlineData(".*q_proj")]
    [InlineData("'.*(q_proj|v_proj)'")]
    [InlineData("'.*\\.[0-9]{1,2}\\.q_proj'")]
    public void Other_texts_stay_regular_expressions(string text) => Assert.IsType<ModuleSelector.Pattern>(Of(text));

    [Fact]
    public void All_linear_stays() => Assert.Equal(ModuleSelector.AllLinear, Of("all-linear"));
}
