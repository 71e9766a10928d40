using System.IO.Hashing;
using System.Runtime.InteropServices;
using LlmTune.Tokenization;

namespace LlmTune.Data;

/// <summary>What a row means, whatever format it came in.</summary>
public abstract record Example
{
    private protected Example() { }

    /// <summary>Turns that go through the chat template.</summary>
    public sealed record Chat(Conversation Conversation) : Example;

    /// <summary>Strings that are not templated: the completion is trained on, and EOS after it.</summary>
    public sealed record PromptCompletion(string Prompt, string Completion) : Example;

    /// <summary>A document: everything is trained on, and EOS after it.</summary>
    public sealed record Text(string Value) : Example;

    /// <summary>Token ids as they are.</summary>
    /// <param name="Trained">(T) whether a token is trained on by its labels or assistant mask; null trains on all.</param>
    /// <param name="Completion">(T) whether a token belongs to the completion; null where the row does not say.</param>
    public sealed record Tokens(int[] Ids, bool[]? Trained = null, bool[]? Completion = null) : Example;

    /// <summary>Identity of the content: equal for rows that say the same, in whatever order or format of columns they stand.</summary>
    public ulong ContentHash()
    {
        var hash = new XxHash3();
        void Add(string? text)
        {
            hash.Append([text is null ? (byte)0 : (byte)1]);
            hash.Append(MemoryMarshal.AsBytes(text.AsSpan()));
            hash.Append("\u001f"u8);
        }
        switch (this)
        {
            case Chat chat:
                foreach (var message in chat.Conversation.Messages)
                {
                    Add(message.Role);
                    Add(message.Content);
                    Add(message.Fields?.ToJsonString());
                    Add(message.Train?.ToString());
                }
                Add(chat.Conversation.Tools?.ToJsonString());
                break;
            case PromptCompletion pair:
                Add(pair.Prompt);
                Add(pair.Completion);
                break;
            case Text text:
                Add(text.Value);
                break;
            case Tokens tokens:
                hash.Append(MemoryMarshal.AsBytes(tokens.Ids.AsSpan()));
                hash.Append(MemoryMarshal.AsBytes(tokens.Trained.AsSpan()));
                hash.Append(MemoryMarshal.AsBytes(tokens.Completion.AsSpan()));
                break;
        }
        return hash.GetCurrentHashAsUInt64();
    }
}
