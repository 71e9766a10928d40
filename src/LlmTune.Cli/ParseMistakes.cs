using System.CommandLine;
using System.CommandLine.Parsing;
using LlmTune.Config;
using LlmTune.Recipes;

namespace LlmTune.Cli;

/// <summary>What is wrong with a command line, with what was meant.</summary>
internal static class ParseMistakes
{
    public static IReadOnlyList<string> Of(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (parsed.Action is HelpText.HelpOfVerb) return [];
        var relevant = command.Subcommands.Count > 0 ? 1 : int.MaxValue;   // what follows an unknown verb was meant for it
        List<string> mistakes = [.. parsed.UnmatchedTokens.Take(relevant).Select(token => Unmatched(token, command, parsed))];
        mistakes.AddRange(Swallowed(parsed).Select(token => Unmatched(token, command, parsed)));
        if (parsed.UnmatchedTokens.Count == 0) mistakes.AddRange(parsed.Errors.Select(Worded));
        return mistakes;
    }

    private static string Worded(ParseError error) => error.SymbolResult switch
    {
        CommandResult { Command.Subcommands: { Count: > 0 } verbs } => $"a verb is missing: {Suggest.Either([.. verbs.Select(verb => verb.Name)])}",
        ArgumentResult { Tokens.Count: 0, Argument: var argument, Parent: CommandResult } => $"<{argument.Name}> is missing: {argument.Description}",
        ArgumentResult { Tokens.Count: 0, Parent: OptionResult { Option: var option } } => NeedsValue(option),
        OptionResult { Tokens.Count: 0, IdentifierToken: null, Option: var option } => $"{option.Name} is missing: {option.Description}",
        OptionResult { Tokens.Count: 0, Option: var option } => NeedsValue(option),
        OptionResult { Tokens: [{ Value: var value }], Option: var option } when WordFor(option.ValueType) is { } word =>
            $"{option.Name} must be {word}, got '{value}'",
        _ => char.ToLowerInvariant(error.Message[0]) + error.Message[1..].TrimEnd('.'),
    };

    private static string? WordFor(Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
    {
        var t when t == typeof(int) || t == typeof(long) => "a whole number",
        var t when t == typeof(double) || t == typeof(float) => "a number",
        _ => null,
    };

    private static string NeedsValue(Option option) => $"{option.Name} needs a value: {option.Description}";

    private static string Unmatched(string token, Command command, ParseResult parsed)
    {
        if (IsOption(token))
        {
            var name = token.Split('=')[0];
            var options = command.Options.Concat(HelpText.Inherited(command));
            if (TakesSettings(command) && ConfigFile.OfOption<RunConfig>(name.TrimStart('-'), ValueOf(token, parsed)) is { } setting) return $"unknown option '{name}'{setting}";
            return $"unknown option '{name}'{Suggest.Hint(Suggest.Nearest(name, options.Select(option => option.Name)))}";
        }
        var verbs = command.Subcommands.Select(verb => verb.Name).ToList();
        return verbs.Count == 0
            ? $"unexpected argument '{token}'"
            : $"unknown verb '{token}'{Suggest.Nearest(token, verbs) switch
            {
                null => $"; there are {string.Join(", ", verbs)}",
                var meant => Suggest.Hint(meant),
            }}";
    }

    /// <summary>Options that are not known, taken for one more value of a list of arguments.</summary>
    private static IEnumerable<string> Swallowed(ParseResult parsed) =>
        from result in parsed.CommandResult.Children.OfType<ArgumentResult>()
        from token in result.Tokens
        where IsOption(token.Value)
        let before = parsed.Tokens.TakeWhile(other => !ReferenceEquals(other, token))
        where !before.Any(other => other.Type == TokenType.DoubleDash)
        select token.Value;

    /// <summary>Whether a verb takes settings of a run file, key=value.</summary>
    private static bool TakesSettings(Command command) => command.Arguments.Any(argument => argument.Name == "settings");

    /// <summary>What stands behind an option: after its =, or as the next word; empty where another option follows.</summary>
    private static string ValueOf(string token, ParseResult parsed)
    {
        if (token.IndexOf('=', StringComparison.Ordinal) is >= 0 and var at) return token[(at + 1)..];
        var next = parsed.Tokens.SkipWhile(other => other.Value != token).Skip(1).FirstOrDefault()?.Value;
        return next is null || IsOption(next) ? "" : next;
    }

    private static bool IsOption(string token) => token.Length > 1 && token[0] == '-' && !char.IsAsciiDigit(token[1]);
}
