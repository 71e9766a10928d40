using System.Text.Json.Nodes;
using LlmTune.Tokenization;

namespace LlmTune.Data.Formats;

/// <summary>
/// The prompt of answers that bring it themselves: what all begin with, as TRL's <c>extract_prompt</c> finds it. If nothing differs before
/// one of them ends, its last character (or turn) still belongs to the answers, so that none is empty.
/// </summary>
internal static class CommonPrompt
{
    /// <summary>
    /// Length of the prompt of texts, none of them empty. A space before the place where they differ belongs to the answers, as tokenizers
    /// have it. (TRL looks at the last character of the first text where they differ at once; here the prompt is empty then.)
    /// </summary>
    public static int Of(IReadOnlyList<string> texts)
    {
        var shortest = texts.MinBy(text => text.Length)!;
        var common = texts.Min(text => text.AsSpan().CommonPrefixLength(texts[0]));
        var ends = common == shortest.Length;
        if (ends) common--;
        if (common > 0 && char.IsLowSurrogate(shortest[common]) && char.IsHighSurrogate(shortest[common - 1])) common--;
        return !ends && common > 0 && shortest[common - 1] == ' ' ? common - 1 : common;
    }

    /// <summary>How many turns of conversations, none of them empty, are their prompt.</summary>
    public static int Of(IReadOnlyList<IReadOnlyList<Message>> conversations)
    {
        var shortest = conversations.Min(turns => turns.Count);
        for (var i = 0; i < shortest - 1; i++)
        {
            if (conversations.Any(turns => !AreEqual(turns[i], conversations[0][i]))) return i;
        }
        return shortest - 1;
    }

    private static bool AreEqual(Message a, Message b) => a.Role == b.Role && a.Content == b.Content && JsonNode.DeepEquals(a.Fields, b.Fields);
}
