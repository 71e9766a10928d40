using System.Text.Json.Nodes;

namespace LlmTune.Tokenization;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">system, user, assistant, tool or what the template knows.</param>
/// <param name="Content">Its text; null where a turn has none (a tool call alone).</param>
public sealed record Message(string Role, string? Content)
{
    /// <summary>What else the template sees of the turn: tool_calls, name, reasoning_content, content parts under "content".</summary>
    public JsonObject? Fields { get; init; }

    /// <summary>Whether the turn is trained on; null leaves it to the run's settings (roles_to_train, mask_history).</summary>
    public bool? Train { get; init; }
}

/// <summary>Turns, and the tools that the template may show.</summary>
public sealed record Conversation(IReadOnlyList<Message> Messages, JsonArray? Tools = null);
