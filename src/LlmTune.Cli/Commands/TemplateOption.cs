using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Recipes;
using LlmTune.Tokenization;

namespace LlmTune.Cli.Commands;

/// <summary>The option for variables of the chat template, of the verbs that take a model without a run file.</summary>
internal static class TemplateOption
{
    public const string Name = "--chat-template-kwargs";

    public static Option<string> Create() => new(Name)
    {
        Description = "variables for the chat template, before those of the run: '{\"enable_thinking\": false}'",
        HelpName = "json",
    };

    /// <summary>The source with the given variables before its own.</summary>
    /// <exception cref="RequestException">The text is not a JSON object, or sets what the conversation gives.</exception>
    public static ModelSource With(this ModelSource source, string? json)
    {
        if (json is null) return source;
        var given = Parse(json) ?? throw new RequestException($"{Name} is '{json}', expected a JSON object: {{\"enable_thinking\": false}}");
        if (TemplateVariables.Reserved.FirstOrDefault(given.ContainsKey) is { } reserved)
            throw new RequestException($"{Name} holds {reserved}, which is the conversation's own");
        return source with { Variables = TemplateVariables.Merge(given, source.Variables), Origin = source.Origin?.With(json) };
    }

    private static JsonObject? Parse(string json)
    {
        try
        {
            return JsonNode.Parse(json) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
