using System.CommandLine;
using LlmTune.Config;

namespace LlmTune.Cli.Commands;

/// <summary>What options accept, refused in the words of run files.</summary>
internal static class OptionRules
{
    /// <inheritdoc cref="OneOf(Option{string}, Func{string, string?}, string[])"/>
    public static void OneOf(this Option<string> option, params string[] names) => option.OneOf(_ => null, names);

    /// <summary>One of these names.</summary>
    /// <param name="hint">What is known of another one, as it follows the message; null where nothing is.</param>
    public static void OneOf(this Option<string> option, Func<string, string?> hint, params string[] names)
    {
        option.CompletionSources.Add(names);
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var value }] && !names.Contains(value))
                result.AddError($"{option.Name} must be {Suggest.Either(names)}, got '{value}'{hint(value) ?? Suggest.Hint(Suggest.Nearest(value, names))}");
        });
    }
}
