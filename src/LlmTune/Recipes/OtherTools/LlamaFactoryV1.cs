using static LlmTune.Recipes.OtherTools.Rules;

namespace LlmTune.Recipes.OtherTools;

/// <summary>Run files of LLaMA-Factory v1, in sections.</summary>
internal static class LlamaFactoryV1
{
    public static ForeignTool Tool { get; } = new("LLaMA-Factory v1",
    [
        new("model", To("model.path")),
    ])
    {
        Marks = ["train_dataset", "model_class", "peft_config"],
    };
}
