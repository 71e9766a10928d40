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

    /// <summary>What the loss of its tokens is multiplied by, where it is trained on.</summary>
    public float Weight { get; init; } = 1;

    /// <summary>Stretches of its content that count otherwise than the turn, in order.</summary>
    public IReadOnlyList<ContentPart> Parts { get; init; } = [];

    /// <summary>Keys by which it asks to be trained on and that are not followed, its role not being one that is trained on.</summary>
    public IReadOnlyList<string> Unused { get; init; } = [];
}

/// <summary>A stretch [Start, End) of a turn's content, in UTF-16 units.</summary>
/// <param name="Weight">What the loss of its tokens is multiplied by; 0 is not trained on.</param>
public readonly record struct ContentPart(int Start, int End, float Weight);

/// <summary>Turns, and the tools that the template may show.</summary>
public sealed record Conversation(IReadOnlyList<Message> Messages, JsonArray? Tools = null)
{
    /// <summary>Variables that the template sees for this conversation alone; they come before those of the template.</summary>
    public JsonObject? Variables { get; init; }
}
