using static LlmTune.Recipes.OtherTools.Rules;

namespace LlmTune.Recipes.OtherTools;

/// <summary>Run files of axolotl.</summary>
internal static class Axolotl
{
    public static ForeignTool Tool { get; } = new("axolotl",
    [
        new("base_model", To("model.path")),
    ])
    {
        Marks = ["base_model"],
    };
}
