using LlmTune.Config;

namespace LlmTune.Data.Formats;

/// <summary>What data call the roles of turns, whatever the case of the names.</summary>
internal static class RoleNames
{
    /// <summary>A turn that calls functions: its text is JSON with a name and arguments, or a list of such.</summary>
    public const string Call = "function_call";

    /// <summary>Roles that templates know.</summary>
    private static readonly string[] Known = ["system", "developer", "user", "assistant", "tool", "function", "ipython"];

    private static readonly Dictionary<string, string> Others = new(StringComparer.OrdinalIgnoreCase)
    {
        ["human"] = "user",
        ["prompter"] = "user",
        ["gpt"] = "assistant",
        ["ai"] = "assistant",
        ["bot"] = "assistant",
        ["chatbot"] = "assistant",
        ["model"] = "assistant",
        ["llm"] = "assistant",
        ["chatgpt"] = "assistant",
        ["bing"] = "assistant",
        ["bard"] = "assistant",
        ["observation"] = "tool",
        ["tool_response"] = "tool",
        ["tool_result"] = "tool",
        ["function_response"] = "tool",
        ["function_result"] = "tool",
        ["function_call"] = Call,
        ["tool_call"] = Call,
        ["tool_calls"] = Call,
    };

    /// <summary>What a run file's <c>roles</c> may make of a name.</summary>
    public static IReadOnlyList<string> Meanings { get; } = [.. Known, Call];

    /// <summary>The role of a name, or <see cref="Call"/>; null for one that is not known.</summary>
    /// <param name="functionCalls">Whether the name function stands for a call, as ShareGPT has it, not for the result of one, as OpenAI does.</param>
    public static string? Find(string name, bool functionCalls = false)
    {
        name = name.Trim(' ', ':');
        if (Array.Find(Known, known => known.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } role)
            return role == "function" && functionCalls ? Call : role;
        return Others.GetValueOrDefault(name);
    }

    /// <summary>The same for rows of a source: what its settings say of the name comes first; one that is to be trained on needs to be known to its template only.</summary>
    public static string? Find(string name, RowSettings settings, bool functionCalls = false) =>
        settings.Roles.GetValueOrDefault(name) ?? Find(name, functionCalls) ?? (settings.TrainedRoles.Contains(name) ? name : null);

    /// <exception cref="RowException">Always.</exception>
    public static string Unknown(string where, string name) => throw new RowException(
        $"{where} the role '{name}' is not known; expected {string.Join(", ", Known)} (human, gpt, ai, bot, observation, function_call and their like, in any case), "
        + $"or one of roles_to_train; say what it means with roles: {{ {ConfigFile.Written(name)}: user }} beside the path");
}
