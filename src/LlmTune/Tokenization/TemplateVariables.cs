using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using LlmTune.Config;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tokenization;

/// <summary>Variables for a chat template beside the conversation: what Transformers calls chat_template_kwargs.</summary>
public static class TemplateVariables
{
    /// <summary>What a conversation is given by, which no variable can stand for.</summary>
    public static readonly IReadOnlyList<string> Reserved = ["messages", Trace.PromptFlag];

    /// <summary>The first of two that has a variable counts.</summary>
    public static JsonObject Merge(JsonObject first, JsonObject second)
    {
        var merged = second.DeepClone().AsObject();
        foreach (var (name, value) in first) merged[name] = value?.DeepClone();
        return merged;
    }

    internal static ValueTree Checked(ValueTree variables, [CallerMemberName] string property = "") =>
        Require.That(!Reserved.Any(variables.Has), $"without {string.Join(" and ", Reserved)}, which are the conversation's own", variables, property);
}
