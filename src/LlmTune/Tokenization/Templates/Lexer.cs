using System.Globalization;
using System.Numerics;
using System.Text;

namespace LlmTune.Tokenization.Templates;

internal enum TokenKind : byte { Data, PrintBegin, PrintEnd, TagBegin, TagEnd, Name, String, Integer, Float, Operator, End, Fault }

/// <param name="Value">Text of data and strings, a name, an operator, or the message of a fault.</param>
/// <param name="Number">Value of an integer or float.</param>
internal readonly record struct Token(TokenKind Kind, string Value, int Line, object? Number = null)
{
    /// <summary>The token in an error message, in Jinja's words.</summary>
    public string Description => Kind switch
    {
        TokenKind.Name or TokenKind.Operator => Value,
        TokenKind.Data => "template data / text",
        TokenKind.PrintBegin => "begin of print statement",
        TokenKind.PrintEnd => "end of print statement",
        TokenKind.TagBegin => "begin of statement block",
        TokenKind.TagEnd => "end of statement block",
        TokenKind.End => "end of template",
        TokenKind.String => "string",
        TokenKind.Integer => "integer",
        _ => "float",
    };
}

/// <summary>
/// Source to tokens, with the white space rules of trim_blocks (a line feed after a tag goes) and lstrip_blocks (so does what stands before a tag
/// that begins its line). Line ends become line feeds and one at the very end is dropped. What cannot be read becomes a
/// <see cref="TokenKind.Fault"/>, at which the parser stops: it may find another mistake before.
/// </summary>
internal sealed class Lexer
{
    private static readonly string[] Operators =
        ["//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _position;
    private int _line = 1;
    private bool _lineStarts = true;

    private Lexer(string source) => _source = source;

    public static List<Token> Tokenize(string source)
    {
        source = source.ReplaceLineEndingsAsPython();
        var lexer = new Lexer(source.EndsWith('\n') ? source[..^1] : source);
        if (lexer.Run() is { } problem) lexer.Add(TokenKind.Fault, problem);
        lexer.Add(TokenKind.End, "");
        return lexer._tokens;
    }

    /// <summary>Null, or what is wrong at the present line.</summary>
    private string? Run()
    {
        while (_position < _source.Length)
        {
            var tag = NextTag(_position);
            if (tag < 0)
            {
                AddData(_source[_position..]);
                return null;
            }
            var kind = _source[tag + 1];
            var (raw, rawEnd) = kind == '%' ? RawTag(tag + 2) : (false, 0);
            var sign = tag + 2 < _source.Length ? _source[tag + 2] : ' ';
            AddDataBefore(tag, kind, sign);
            _position = tag + (sign is '-' or '+' ? 3 : 2);
            var problem = raw ? ReadRaw(rawEnd) : kind == '#' ? ReadComment() : ReadTag(kind);
            if (problem is not null) return problem;
        }
        return null;
    }

    private int NextTag(int from)
    {
        for (var at = _source.IndexOf('{', from); at >= 0 && at + 1 < _source.Length; at = _source.IndexOf('{', at + 1))
        {
            if (_source[at + 1] is '{' or '%' or '#') return at;
        }
        return -1;
    }

    /// <summary>Adds the data that ends at a tag, without the white space that the tag takes away.</summary>
    private void AddDataBefore(int tag, char kind, char sign)
    {
        var data = _source[_position..tag];
        if (sign == '-')
        {
            AddData(data.TrimEnd(Whitespace.Characters), data);
            return;
        }
        var lineStart = data.LastIndexOf('\n') + 1;
        var stands = lineStart < data.Length && data.AsSpan(lineStart).Trim(Whitespace.Characters).IsEmpty;
        var strip = kind != '{' && sign != '+' && (lineStart > 0 || _lineStarts) && stands;
        AddData(strip ? data[..lineStart] : data, data);
    }

    private void AddData(string data, string? source = null)
    {
        if (data.Length > 0) Add(TokenKind.Data, data);
        _line += (source ?? data).AsSpan().Count('\n');
    }

    private string? ReadComment()
    {
        var end = Find("#}", _position);
        if (end < 0) return "Missing end of comment tag";
        var sign = end > _position ? _source[end - 1] : ' ';
        EndTag(end + 2, strips: sign == '-', trims: sign != '+');
        return null;
    }

    /// <summary>Whether <c>raw %}</c> stands here, and where it ends.</summary>
    private (bool, int) RawTag(int at)
    {
        if (at < _source.Length && _source[at] is '-' or '+') at++;
        at = SkipSpace(at);
        if (!Stands("raw", at)) return (false, 0);
        at = SkipSpace(at + 3);
        if (Stands("%}", at)) return (true, at + 2);
        return Stands("-%}", at) ? (true, SkipSpace(at + 3)) : (false, 0);
    }

    private string? ReadRaw(int start)
    {
        for (var tag = Find("{%", start); tag >= 0; tag = Find("{%", tag + 1))
        {
            var sign = tag + 2 < _source.Length ? _source[tag + 2] : ' ';
            var at = SkipSpace(tag + (sign is '-' or '+' ? 3 : 2));
            if (!Stands("endraw", at)) continue;
            at = SkipSpace(at + 6);
            var close = at < _source.Length ? _source[at] : ' ';
            if (close is '-' or '+') at++;
            if (!Stands("%}", at)) continue;
            Advance(start);
            _lineStarts = _source[start - 1] == '\n';
            AddDataBefore(tag, '%', sign);
            _position = tag;
            EndTag(at + 2, strips: close == '-', trims: close != '+');
            return null;
        }
        return "Missing end of raw directive";
    }

    private string? ReadTag(char kind)
    {
        Add(kind == '{' ? TokenKind.PrintBegin : TokenKind.TagBegin, "");
        var closers = new Stack<char>();
        while (true)
        {
            Advance(SkipSpace(_position));
            if (_position >= _source.Length) return null;
            if (closers.Count == 0 && TryEndTag(kind)) return null;
            var problem = ReadToken(closers);
            if (problem is not null) return problem;
        }
    }

    private bool TryEndTag(char kind)
    {
        var end = kind == '{' ? "}}" : "%}";
        var sign = _source[_position];
        var signed = sign == '-' || (sign == '+' && kind == '%');
        if (!Stands(end, signed ? _position + 1 : _position)) return false;
        Add(kind == '{' ? TokenKind.PrintEnd : TokenKind.TagEnd, "");
        EndTag(_position + (signed ? 3 : 2), strips: sign == '-', trims: kind == '%' && sign != '+');
        return true;
    }

    /// <summary>Goes to the end of a tag and over the white space that belongs to it.</summary>
    private void EndTag(int end, bool strips, bool trims)
    {
        if (strips) end = SkipSpace(end);
        else if (trims && end < _source.Length && _source[end] == '\n') end++;
        _lineStarts = _source[end - 1] == '\n';
        Advance(end);
    }

    private string? ReadToken(Stack<char> closers)
    {
        var c = _source[_position];
        if (char.IsAsciiDigit(c)) return ReadNumber();
        if (c is '\'' or '"') return ReadString(c);
        var end = NameEnd(_position);
        if (end > _position)
        {
            Add(TokenKind.Name, _source[_position..end]);
            _position = end;
            return null;
        }
        var symbol = Array.Find(Operators, o => Stands(o, _position));
        if (symbol is null) return Unexpected();
        if (symbol is "(" or "[" or "{") closers.Push(symbol switch { "(" => ')', "[" => ']', _ => '}' });
        if (symbol is ")" or "]" or "}")
        {
            if (closers.Count == 0) return $"unexpected '{symbol}'";
            var expected = closers.Pop();
            if (expected != symbol[0]) return $"unexpected '{symbol}', expected '{expected}'";
        }
        Add(TokenKind.Operator, symbol);
        _position += symbol.Length;
        return null;
    }

    private int NameEnd(int at)
    {
        while (at < _source.Length && Rune.TryGetRuneAt(_source, at, out var rune))
        {
            var inside = rune.Value == '_' || Rune.IsLetterOrDigit(rune)
                || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
                        or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation;
            if (!inside) break;
            at += rune.Utf16SequenceLength;
        }
        return at;
    }

    private string? ReadString(char quote)
    {
        var end = _position + 1;
        while (end < _source.Length && _source[end] != quote) end += _source[end] == '\\' ? 2 : 1;
        if (end >= _source.Length) return Unexpected();
        var (text, problem) = StringLiteral.Unescape(_source.AsSpan(_position + 1, end - _position - 1));
        if (problem is not null) return problem;
        Add(TokenKind.String, text);
        Advance(end + 1);
        return null;
    }

    /// <summary>Python's literals: 1_000, 0x1f, 0o17, 0b1, 1.5, 1e3. After a dot (<c>list.0.1</c>) only integers are read.</summary>
    private string? ReadNumber()
    {
        var start = _position;
        var letter = start + 1 < _source.Length && _source[start] == '0' ? char.ToLowerInvariant(_source[start + 1]) : ' ';
        var radix = letter switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 };
        if (radix != 10 && DigitsEnd(start + 2, radix) is var end && end > start + 2)
        {
            var value = BigInteger.Zero;
            foreach (var digit in _source.AsSpan(start + 2, end - start - 2))
            {
                if (digit != '_') value = value * radix + Convert.ToInt32(digit.ToString(), 16);
            }
            return AddNumber(TokenKind.Integer, Arithmetic.Normalize(value), end);
        }
        end = DigitsEnd(start, 10);
        var isFloat = false;
        if (start == 0 || _source[start - 1] != '.')
        {
            if (end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]))
                (end, isFloat) = (DigitsEnd(end + 1, 10), true);
            if (end < _source.Length && _source[end] is 'e' or 'E')
            {
                var exponent = end + 1 < _source.Length && _source[end + 1] is '+' or '-' ? end + 2 : end + 1;
                if (exponent < _source.Length && char.IsAsciiDigit(_source[exponent])) (end, isFloat) = (DigitsEnd(exponent, 10), true);
            }
        }
        var literal = _source[start..end].Replace("_", "", StringComparison.Ordinal);
        if (literal.Length > 4300) return "Exceeds the limit (4300 digits) for integer string conversion";
        if (isFloat) return AddNumber(TokenKind.Float, double.Parse(literal, CultureInfo.InvariantCulture), end);
        // A zero is a number of its own: 01 is 0, and 1 after it a mistake.
        var zeros = literal.Length - literal.TrimStart('0').Length;
        if (zeros > 0 && zeros < literal.Length) (literal, end) = ("0", start + zeros);
        return AddNumber(TokenKind.Integer, Arithmetic.Normalize(BigInteger.Parse(literal, CultureInfo.InvariantCulture)), end);
    }

    private string? AddNumber(TokenKind kind, object value, int end)
    {
        _tokens.Add(new Token(kind, _source[_position..end], _line, value));
        _position = end;
        return null;
    }

    private int DigitsEnd(int at, int radix)
    {
        bool Digit(int i) => i < _source.Length && (radix == 16 ? char.IsAsciiHexDigit(_source[i]) : _source[i] >= '0' && _source[i] < '0' + radix);
        while (Digit(at) || (at < _source.Length && _source[at] == '_' && Digit(at + 1))) at++;
        return at;
    }

    private int SkipSpace(int at)
    {
        while (at < _source.Length && Whitespace.Contains(_source[at])) at++;
        return at;
    }

    private int Find(string text, int from) => _source.IndexOf(text, from, StringComparison.Ordinal);

    private string Unexpected()
    {
        var character = _source.Substring(_position, char.IsSurrogatePair(_source, _position) ? 2 : 1);
        return $"unexpected char {Py.Quote(character)} at {CodePoints.Index(_source, _position)}";
    }

    private bool Stands(string text, int at) => at <= _source.Length && _source.AsSpan(at).StartsWith(text, StringComparison.Ordinal);

    private void Advance(int to)
    {
        _line += _source.AsSpan(_position, to - _position).Count('\n');
        _position = to;
    }

    private void Add(TokenKind kind, string value) => _tokens.Add(new Token(kind, value, _line));
}
