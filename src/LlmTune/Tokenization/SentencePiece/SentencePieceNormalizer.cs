using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// Replaces by the longest entry of the table at each place, takes extra white space away, and writes spaces as U+2581. User-defined
/// pieces stay as they are. A character's origin reaches to where the next one's begins.
/// </summary>
internal sealed class SentencePieceNormalizer(SentencePieceFile file) : TextNormalizer
{
    private readonly string _space = file.EscapeWhiteSpace ? SentencePieceFile.Space : " ";
    private readonly CharTrie? _userDefined = UserDefined(file);

    public override void Apply(AlignedText text)
    {
        var source = text.Text;
        if (source.Length == 0) return;
        var output = new StringBuilder(source.Length + 8);
        var starts = new List<int>(source.Length + 8);
        var at = 0;
        if (file.RemoveExtraWhiteSpace)
        {
            while (at < source.Length && Prefix(source, at, out var length) == " ") at += length;
            if (at == source.Length)
            {
                text.Rewrite("", []);
                return;
            }
        }
        if (file.AddDummyPrefix && !file.WhiteSpaceAsSuffix && (text.Begin == 0 || !file.PrefixAtStartOnly)) Put(_space);
        var afterSpace = file.RemoveExtraWhiteSpace;
        while (at < source.Length)
        {
            var part = Prefix(source, at, out var length);
            if (afterSpace) part = part.TrimStart(' ');
            if (part.Length > 0)
            {
                Put(part.Replace(" ", _space, StringComparison.Ordinal));
                afterSpace = file.RemoveExtraWhiteSpace && part.EndsWith(' ');
            }
            at += length;
        }
        if (file.RemoveExtraWhiteSpace)
        {
            while (output.Length > 0 && output[^1] == _space[0])
            {
                output.Length--;
                at = starts[^1];
                starts.RemoveAt(starts.Count - 1);
            }
        }
        if (file.AddDummyPrefix && file.WhiteSpaceAsSuffix) Put(_space);
        starts.Add(at);
        text.Rewrite(output.ToString(), starts);

        void Put(string part)
        {
            output.Append(part);
            for (var i = 0; i < part.Length; i++) starts.Add(at);
        }
    }

    /// <summary>What stands for the text's next few units.</summary>
    private string Prefix(string text, int at, out int length)
    {
        length = LongestUserDefined(text, at);
        if (length > 0) return text.Substring(at, length);
        if (file.Charsmap is not null && LongestEntry(text, at, out length) is { } replacement) return replacement;
        Utf16.RuneAt(text, at, out length);
        return text.Substring(at, length);
    }

    private int LongestUserDefined(string text, int at)
    {
        var longest = 0;
        if (_userDefined is null) return 0;
        for (var (node, end) = (0, at); end < text.Length && (node = _userDefined.Next(node, text[end])) >= 0;)
        {
            end++;
            if (_userDefined.Value(node) >= 0) longest = end - at;
        }
        return longest;
    }

    private string? LongestEntry(string text, int at, out int length)
    {
        const int MostUnits = 64;
        Span<byte> bytes = stackalloc byte[3 * MostUnits];
        var units = Math.Min(MostUnits, text.Length - at);
        if (at + units < text.Length && char.IsLowSurrogate(text[at + units])) units--;
        var count = Encoding.UTF8.GetBytes(text.AsSpan(at, units), bytes);
        var matched = file.Charsmap!.Match(bytes[..count], longest: true, out var replacement);
        length = matched > 0 ? Encoding.UTF8.GetCharCount(bytes[..matched]) : 0;
        return matched > 0 ? Encoding.UTF8.GetString(replacement) : null;
    }

    private static CharTrie? UserDefined(SentencePieceFile file)
    {
        var userDefined = file.Pieces.Where(piece => piece.Type == PieceType.UserDefined);
        KeyValuePair<string, int>[] pieces = [.. userDefined.Select((piece, number) => KeyValuePair.Create(piece.Text, number))];
        return pieces.Length == 0 ? null : new CharTrie(pieces);
    }
}
