using LlmTune.Adapters;

namespace LlmTune.Tests.Adapters;

/// <summary>What a run file names has to be in the model, in every form.</summary>
public class LoraPlanNamesTests
{
    private static LoraPlan Plan(ModuleSelector targets) => new() { Rank = 4, Alpha = 8, Targets = targets };

    private static LoraPlan Plan(params string[] targets) => Plan(ModuleSelector.Names(targets));

    private static string? Error(LoraPlan plan)
    {
        using var model = TinyModels.Make("llama");
        try
        {
            plan.RequireNames([.. model.Parts]);
            return null;
        }
        catch (RequestException e)
        {
            return e.Message;
        }
    }

    private const string Targetable = "names no linear layer or embedding of the model";

    [Theory]
    [InlineData("q_proj,v_prj", $"target_modules [v_prj] {Targetable}, did you mean 'v_proj'?")]
    [InlineData("q_porj,v_prj,k_proj", $"target_modules [q_porj, v_prj] {Targetable}, did you mean 'q_proj', 'v_proj'?")]
    [InlineData("q_proj,self_attn", $"target_modules [self_attn] {Targetable}, did you mean 'q_proj', 'k_proj', 'v_proj', 'o_proj'?")]
    [InlineData("q_proj,self_attn.v_prj", $"target_modules [self_attn.v_prj] {Targetable}, did you mean 'self_attn.v_proj'?")]
    [InlineData("q_proj,query_key_value", $"target_modules [query_key_value] {Targetable}; it has embed_tokens, q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head")]
    [InlineData("q_proj,layers.1.self_attn.v_proj", null)]
    public void Of_a_list_every_entry(string targets, string? message) => Assert.Equal(message, Error(Plan(targets.Split(','))));

    [Theory]
    [InlineData(@".*\.(q_proj|v_prj)", $"target_modules [v_prj] of '.*\\.(q_proj|v_prj)' {Targetable}, did you mean 'v_proj'?")]
    [InlineData(@".*\.q_prj", $"target_modules [.*\\.q_prj] {Targetable}, did you mean 'q_proj'?")]
    [InlineData(@".*\.[qkv]_proj", null)]
    [InlineData(@".*layers\.\d+\.(self_attn|mlp)\.(gate|up|down|q)_proj", null)]
    [InlineData(@".*\.(q_projs?|o_proj)", null)]
    [InlineData(@".*\.(?!lm_haed).*_proj", null)]
    public void Of_an_expression_every_branch(string expression, string? message) => Assert.Equal(message, Error(Plan(ModuleSelector.Parse(expression))));

    [Fact]
    public void Of_exclusions_patterns_layers_and_copies()
    {
        Assert.Equal("exclude_modules [v_prj] names no module of the model, did you mean 'v_proj'?", Error(Plan("q_proj") with { Excluded = ModuleSelector.Names("v_prj") }));
        Assert.Equal(@"exclude_modules [.*\.v_prj] names no module of the model, did you mean 'v_proj'?", Error(Plan("q_proj") with { Excluded = ModuleSelector.Parse(@".*\.v_prj") }));
        Assert.Null(Error(Plan(ModuleSelector.AllLinear) with { Excluded = ModuleSelector.Names("lm_head") }));
        Assert.Equal("rank_pattern [k_proj] names no adapted module; the adapter has q_proj, v_proj", Error(Plan("q_proj", "v_proj") with { RankPattern = [("q_proj", 2), ("k_proj", 2)] }));
        Assert.Equal("alpha_pattern [q_prj] names no adapted module, did you mean 'q_proj'?", Error(Plan("q_proj") with { AlphaPattern = [("q_prj", 2)] }));
        Assert.Equal("rank_pattern [v_prj] of 'q_proj|v_prj' names no adapted module, did you mean 'v_proj'?", Error(Plan("q_proj", "v_proj") with { RankPattern = [("q_proj|v_prj", 2)] }));
        Assert.Equal("rank_pattern 'q_proj' is never asked: the entries before it name all of its modules", Error(Plan("q_proj") with { RankPattern = [(".*_proj", 2), ("q_proj", 3)] }));
        Assert.Equal("layers_to_transform [3, 9] are no layers of the model; it has 0 to 2", Error(Plan("q_proj") with { Layers = [1, 3, 9] }));
        Assert.StartsWith("layers_pattern 'h' stands before no layer's number in the names of the model, as in model.layers.0.", Error(Plan("q_proj") with { Layers = [1], LayersPattern = ["layers", "h"] }), StringComparison.Ordinal);
        Assert.Equal("modules_to_save [lm_hed] names no module of the model, did you mean 'lm_head'?", Error(Plan("q_proj") with { ModulesToSave = ["lm_hed", "embed_tokens"] }));
        Assert.Equal(3, Error(Plan("q_prj") with { ModulesToSave = ["lm_hed"], Layers = [9] })!.Split('\n').Length);   // all at once
    }
}
