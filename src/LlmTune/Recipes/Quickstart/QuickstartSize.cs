namespace LlmTune.Recipes.Quickstart;

/// <summary>How much a quickstart makes and learns.</summary>
/// <param name="PretrainBatch">Rows of a step of pretraining.</param>
/// <param name="EvalSteps">Steps between two points of the held-out loss.</param>
/// <param name="Questions">Questions to train on.</param>
/// <param name="HeldOut">Questions about other tables, to evaluate on.</param>
internal sealed record QuickstartSize(int Texts, int Chats, int Questions, int HeldOut, int Vocabulary, int PretrainBatch, int EvalSteps)
{
    /// <summary>A minute and a half on one core.</summary>
    public static QuickstartSize Full { get; } = new(
        Texts: 8000, Chats: 8000, Questions: 8000, HeldOut: 200, Vocabulary: 950, PretrainBatch: 16, EvalSteps: 200);

    /// <summary>Every step in some seconds; too little to learn the task well.</summary>
    public static QuickstartSize Fast { get; } = new(
        Texts: 600, Chats: 600, Questions: 1200, HeldOut: 16, Vocabulary: 900, PretrainBatch: 8, EvalSteps: 50);
}
