namespace LlmTune.Tokenization;

/// <summary>What Replace and Split look for: a literal text, or a regular expression.</summary>
internal sealed class TextPattern
{
    private readonly RegexProgram? _regex;

    private TextPattern(string? literal, RegexProgram? regex, string source) => (Literal, _regex, Source) = (literal, regex, source);

    /// <summary>The text to look for; null where it is a regular expression.</summary>
    public string? Literal { get; }

    /// <summary>As the file has it.</summary>
    public string Source { get; }

    public static TextPattern Read(JsonField field)
    {
        field.Object();
        if (field["String"] is { IsNull: false } literal) return new TextPattern(literal.Text(), null, literal.Text());
        var regex = field["Regex"];
        if (regex.IsNull) throw field.Error("expected {\"String\": …} or {\"Regex\": …}");
        try
        {
            return Regex(regex.Text());
        }
        catch (FormatException e)
        {
            throw regex.Error($"the regular expression {regex.Text()} cannot be used: {e.Message}");
        }
    }

    /// <exception cref="FormatException">Not a regular expression that is supported.</exception>
    public static TextPattern Regex(string pattern) => new(null, RegexProgram.Parse(pattern), pattern);

    /// <summary>All matches from left to right, empty ones among them.</summary>
    public List<TextSpan> Matches(ReadOnlySpan<char> text)
    {
        var matches = new List<TextSpan>();
        if (_regex is not null)
        {
            _regex.Matches(text, matches);
            return matches;
        }
        if (Literal!.Length == 0) return matches;
        for (var from = 0; ;)
        {
            var at = text[from..].IndexOf(Literal);
            if (at < 0) return matches;
            matches.Add(new TextSpan(from + at, from + at + Literal.Length));
            from += at + Literal.Length;
        }
    }
}
