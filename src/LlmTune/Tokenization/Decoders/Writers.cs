namespace LlmTune.Tokenization;

/// <summary>A space between tokens.</summary>
internal sealed class JoinedBySpaces(TokenWriter next) : TokenWriter(next)
{
    private bool _any;

    public override void Write(string text, bool begins)
    {
        Next.Write(_any ? " " + text : text, begins);
        _any = true;
    }
}

/// <summary>Makes one token of all.</summary>
internal sealed class Fuse(TokenWriter next) : TokenWriter(next)
{
    private bool _any;

    public override void Write(string text, bool begins)
    {
        Next.Write(text, !_any);
        _any = true;
    }
}

/// <summary>Puts a text in the place of a character; a token need not be whole for that.</summary>
internal sealed class ReplaceCharacter(TokenWriter next, string character, string content) : TokenWriter(next)
{
    public override void Write(string text, bool begins) => Next.Write(text.Replace(character, content, StringComparison.Ordinal), begins);
}

/// <summary>Puts a text in the place of each match.</summary>
internal sealed class ReplacePattern(TokenWriter next, TextPattern pattern, string content) : WholeTokenWriter(next)
{
    protected override void WriteToken(string token, int index)
    {
        var text = AlignedText.Untracked(token, 0);
        text.Replace(pattern.Matches(token), content);
        Next.Write(text.Text, begins: true);
    }
}

/// <summary>Drops up to so many of a character from the start and from the end of each token; what may be the end is held back.</summary>
internal sealed class StripWriter(TokenWriter next, string character, int start, int stop) : TokenWriter(next)
{
    private int _leading;
    private string _held = "";

    public override void Write(string text, bool begins)
    {
        if (begins) (_leading, _held) = (start, "");
        while (_leading > 0 && text.Length > 0)
        {
            if (!text.StartsWith(character, StringComparison.Ordinal))
            {
                _leading = 0;
                break;
            }
            text = text[character.Length..];
            _leading--;
        }
        text = _held + text;
        var kept = text.Length;
        for (var i = 0; i < stop && text.AsSpan(0, kept).EndsWith(character, StringComparison.Ordinal); i++) kept -= character.Length;
        _held = text[kept..];
        Next.Write(text[..kept], begins);
    }
}

/// <summary>Writes the replacement as a space again; in the first token it is dropped where the scheme had put one there.</summary>
internal sealed class MetaspaceWriter(TokenWriter next, MetaspaceSettings settings) : TokenWriter(next)
{
    private readonly string _replacement = settings.Replacement.ToString();
    private int _tokens;

    public override void Write(string text, bool begins)
    {
        if (begins) _tokens++;
        var drops = _tokens <= 1 && settings.Scheme != MetaspaceSettings.Prefix.Never;
        Next.Write(text.Replace(_replacement, drops ? "" : " ", StringComparison.Ordinal), begins);
    }
}

/// <summary>A space before each token but the first and those with the prefix, which they lose.</summary>
internal sealed class WordPieceWriter(TokenWriter next, string prefix, bool cleanup) : WholeTokenWriter(next)
{
    protected override void WriteToken(string token, int index)
    {
        if (index > 0) token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        Next.Write(cleanup ? Cleaned(token) : token, begins: true);
    }

    /// <summary>Token by token, as Hugging Face does it; " do not" can so never come together.</summary>
    public static string Cleaned(string token) => token
        .Replace(" .", ".", StringComparison.Ordinal).Replace(" ?", "?", StringComparison.Ordinal).Replace(" !", "!", StringComparison.Ordinal)
        .Replace(" ,", ",", StringComparison.Ordinal).Replace(" ' ", "'", StringComparison.Ordinal).Replace(" n't", "n't", StringComparison.Ordinal)
        .Replace(" 'm", "'m", StringComparison.Ordinal).Replace(" do not", " don't", StringComparison.Ordinal)
        .Replace(" 's", "'s", StringComparison.Ordinal)
        .Replace(" 've", "'ve", StringComparison.Ordinal).Replace(" 're", "'re", StringComparison.Ordinal);
}

/// <summary>The suffix at a word's end becomes a space, but in the last token.</summary>
internal sealed class SuffixWriter(TokenWriter next, string suffix) : WholeTokenWriter(next)
{
    private int _spaces;
    private string? _held;

    protected override void WriteToken(string token, int index)
    {
        Next.Write(new string(' ', _spaces), begins: false);
        if (_held is not null) Next.Write(_held.Replace(suffix, " ", StringComparison.Ordinal), begins: true);
        (_spaces, _held) = (0, null);
        var kept = token;
        while (suffix.Length > 0 && kept.EndsWith(suffix, StringComparison.Ordinal))
        {
            kept = kept[..^suffix.Length];
            _spaces++;
        }
        if (suffix.Length > 0 && kept.Contains(suffix, StringComparison.Ordinal)) (_spaces, _held) = (0, token);
        else Next.Write(kept, begins: true);
    }

    /// <summary>A suffix inside a token is only known to be nothing when no token follows.</summary>
    protected override void Finish()
    {
        if (_held is not null) Next.Write(_held.Replace(suffix, "", StringComparison.Ordinal), begins: true);
    }
}

/// <summary>Of equal tokens in a row one stays; padding goes, delimiters become spaces.</summary>
internal sealed class CtcWriter(TokenWriter next, string pad, string delimiter, bool cleanup) : WholeTokenWriter(next)
{
    private string? _last;

    protected override void WriteToken(string token, int index)
    {
        if (token == _last) return;
        _last = token;
        var text = pad.Length == 0 ? token : token.Replace(pad, "", StringComparison.Ordinal);
        if (cleanup)
        {
            text = WordPieceWriter.Cleaned(text);
            if (delimiter.Length > 0) text = text.Replace(delimiter, " ", StringComparison.Ordinal);
        }
        if (text.Length > 0) Next.Write(text, begins: true);
    }
}
