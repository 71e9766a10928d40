using System.CommandLine;
using LlmTune.Config;

namespace LlmTune.Cli.Commands;

/// <summary>What options accept, refused in the words of run files.</summary>
internal static class OptionRules
{
    /// <summary>One of these names.</summary>
    public static void OneOf(this Option<string> option, params string[] names)
    {
        option.CompletionSources.Add(names);
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var value }] && !names.Contains(value))
                result.AddError($"{option.Name} must be {Suggest.Either(names)}, got '{value}'{Suggest.Hint(Suggest.Nearest(value, names))}");
        });
    }
}
