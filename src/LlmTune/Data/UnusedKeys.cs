using LlmTune.Tokenization;

namespace LlmTune.Data;

/// <summary>Keys of messages that do nothing: neither the template reads them, nor do they say anything about training that is followed.</summary>
internal static class UnusedKeys
{
    /// <summary>Keys of OpenAI's messages that templates need not write.</summary>
    private static readonly string[] Usual =
        ["content", "name", "tool_calls", "function_call", "tool_call_id", "refusal", "annotations", "audio", "reasoning_content", "reasoning", "thinking"];

    /// <summary>The names of an example, each once: <c>votes</c>, or <c>weight of user</c> where a turn of another role wants to be trained on.</summary>
    public static IReadOnlyList<string> Of(Example example, Codec codec)
    {
        SortedSet<string>? names = null;
        foreach (var message in Messages(example))
        {
            foreach (var name in message.Unused) (names ??= []).Add($"{name} of {message.Role}");
            foreach (var (name, _) in message.Fields ?? [])
                if (!Usual.Contains(name) && !codec.Reads(name)) (names ??= []).Add(name);
        }
        return names is null ? [] : [.. names];
    }

    private static IEnumerable<Message> Messages(Example example) => example switch
    {
        Example.Chat chat => chat.Conversation.Messages,
        Example.JudgedChats judged => judged.Prompt.Concat(judged.Answers.SelectMany(answer => answer)),
        _ => [],
    };
}
