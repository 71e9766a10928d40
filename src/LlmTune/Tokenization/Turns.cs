namespace LlmTune.Tokenization;

/// <summary>A turn's text [Start, End) in the rendered conversation.</summary>
/// <param name="Prompt">Length of the text that the model sees at inference before the turn; −1 where the conversation does not begin with it.</param>
internal readonly record struct TextTurn(int Message, string Role, int Start, int End, int Prompt);

/// <summary>
/// Which text belongs to which turn. Where it ends is known from the template's loop over the messages: what one pass writes is one message's.
/// Where the model's part begins is known from the prompt that the model would see: the conversation before the turn with the generation
/// prompt; or from <c>{% generation %}</c> marks.
/// </summary>
internal static class Turns
{
    public const string Assistant = "assistant";

    public static List<TextTurn> Find(RenderedWhole whole) => Find(whole, out _);

    /// <param name="opening">
    /// Length of what stands at the end and only opens the model's next turn, in templates that do so asked or not: it belongs to no turn.
    /// </param>
    public static List<TextTurn> Find(RenderedWhole whole, out int opening)
    {
        var finder = new TurnFinder(whole);
        var turns = new List<TextTurn>();
        for (var i = 0; i < whole.Conversation.Messages.Count; i++)
        {
            if (whole.Conversation.Messages[i].Role == Assistant) finder.AddAssistant(i, turns);
            else finder.AddOther(i, turns);
        }
        opening = finder.Opening;
        return turns;
    }

    /// <summary>Places in a rendered prompt where the model began to write: the ends of the prompts of earlier turns.</summary>
    public static List<int> Prompts(RenderedWhole whole)
    {
        var places = new List<int>();
        for (var i = 0; i < whole.Conversation.Messages.Count; i++)
        {
            if (whole.Conversation.Messages[i].Role != Assistant) continue;
            var length = whole.PromptLength(i);
            if (length >= 0) places.Add(length);
        }
        return places;
    }
}
