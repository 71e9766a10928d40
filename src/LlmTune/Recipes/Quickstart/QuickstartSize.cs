namespace LlmTune.Recipes.Quickstart;

/// <summary>How much a quickstart makes and learns.</summary>
/// <param name="Questions">Questions to train on.</param>
/// <param name="HeldOut">Questions about other tables, to evaluate on.</param>
internal sealed record QuickstartSize(int Texts, int Chats, int Questions, int HeldOut, int Vocabulary)
{
    /// <summary>A minute and a half on one core.</summary>
    public static QuickstartSize Full { get; } = new(Texts: 8000, Chats: 8000, Questions: 8000, HeldOut: 200, Vocabulary: 1024);

    /// <summary>Every step in some seconds; too little to learn the task well.</summary>
    public static QuickstartSize Fast { get; } = new(Texts: 1200, Chats: 1200, Questions: 1200, HeldOut: 20, Vocabulary: 600);
}
