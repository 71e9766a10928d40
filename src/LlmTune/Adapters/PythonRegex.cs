using System.Text.RegularExpressions;

namespace LlmTune.Adapters;

/// <summary>
/// A regular expression as Python's re reads it: the settings of PEFT are written in that language, and .NET reads some of it otherwise
/// (named groups, <c>\Z</c>, possessive quantifiers, <c>{,n}</c>, the numbers of groups) or not at all.
/// </summary>
internal sealed class PythonRegex
{
    private readonly Regex _regex;
    private readonly IReadOnlyDictionary<string, int> _groups;

    private PythonRegex(string source, Regex regex, IReadOnlyDictionary<string, int> groups) => (Source, _regex, _groups) = (source, regex, groups);

    /// <summary>As it was written.</summary>
    public string Source { get; }

    /// <exception cref="FormatException">Python's re would not take it either; the message says why.</exception>
    public static PythonRegex Parse(string pattern) => Parse(pattern, "", "");

    /// <summary>An expression with others around it, whose flags are those of the whole.</summary>
    /// <inheritdoc cref="Parse(string)"/>
    public static PythonRegex Parse(string pattern, string before, string behind)
    {
        var translation = PythonRegexTranslation.Of(pattern, before, behind);
        try
        {
            return new PythonRegex(pattern, new Regex(translation.Text, translation.Options | RegexOptions.CultureInvariant), translation.Groups);
        }
        catch (ArgumentException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>Whether all of a text matches, as <c>re.fullmatch</c> says.</summary>
    public bool MatchesAll(string text)
    {
        // Not the first way to match counts, but whether there is one that reaches the end: so the end is part of the expression.
        return FullMatch.IsMatch(text);
    }

    /// <summary>What a named group holds where the expression matches at the start of a text, as <c>re.match</c> says; null where it does not.</summary>
    public string? Match(string text, string group) =>
        _regex.Match(text) is { Success: true, Index: 0 } match && match.Groups[$"{_groups[group]}"] is { Success: true } found ? found.Value : null;

    private Regex FullMatch => field ??= new Regex($@"\A(?:{_regex})\z", _regex.Options);
}
