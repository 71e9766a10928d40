using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization.Templates;

/// <summary>The escapes of Python's string literals.</summary>
internal static class StringLiteral
{
    /// <summary>The text, or what is wrong with it. Unknown escapes keep their backslash, a backslash at a line's end joins the lines.</summary>
    public static (string Text, string? Problem) Unescape(ReadOnlySpan<char> literal)
    {
        if (!literal.Contains('\\')) return (literal.ToString(), null);
        var text = new StringBuilder(literal.Length);
        for (var i = 0; i < literal.Length; i++)
        {
            if (literal[i] != '\\' || i + 1 == literal.Length)
            {
                text.Append(literal[i]);
                continue;
            }
            var c = literal[++i];
            switch (c)
            {
                case '\n': break;
                case '\\' or '\'' or '"': text.Append(c); break;
                case 'a': text.Append('\a'); break;
                case 'b': text.Append('\b'); break;
                case 'f': text.Append('\f'); break;
                case 'n': text.Append('\n'); break;
                case 'r': text.Append('\r'); break;
                case 't': text.Append('\t'); break;
                case 'v': text.Append('\v'); break;
                case >= '0' and <= '7':
                    var octal = 0;
                    var end = Math.Min(i + 3, literal.Length);
                    for (; i < end && literal[i] is >= '0' and <= '7'; i++) octal = 8 * octal + literal[i] - '0';
                    i--;
                    text.Append((char)octal);
                    break;
                case 'x' or 'u' or 'U':
                    var digits = c switch { 'x' => 2, 'u' => 4, _ => 8 };
                    if (i + digits >= literal.Length
                        || !uint.TryParse(literal.Slice(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
                        return ("", $"truncated \\{c}{new string('X', digits)} escape");
                    if (code > 0x10FFFF) return ("", "illegal Unicode character");
                    text.Append(code < 0x10000 ? ((char)code).ToString() : char.ConvertFromUtf32((int)code));
                    i += digits;
                    break;
                case 'N': return ("", "characters by name (\\N{…}) are not supported");
                default: text.Append('\\').Append(c); break;
            }
        }
        return (text.ToString(), null);
    }
}
