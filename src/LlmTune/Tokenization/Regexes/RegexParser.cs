using System.Globalization;

namespace LlmTune.Tokenization;

/// <summary>
/// Reads regular expressions as Oniguruma does in its Ruby syntax, which is what Hugging Face's library uses: <c>^</c> and <c>$</c>
/// hold at every line, <c>?+ *+ ++</c> are possessive, sets nest and intersect (<c>&amp;&amp;</c>), <c>(?m)</c> lets a dot match a
/// line end. What it cannot read exactly it refuses.
/// </summary>
internal sealed partial class RegexParser
{
    private const int MostCopies = 1000;
    private const int MostNesting = 100;

    private readonly string _pattern;
    private int _at;
    private int _nesting;
    private bool _ignoreCase;
    private bool _dotMatchesLineEnd;
    private bool _extended;
    private bool _behind;     // what lies behind has one length: no character stands for several there
    private int _literal;     // the character that the last atom is, where case is ignored; else −1

    private RegexParser(string pattern) => _pattern = pattern;

    /// <exception cref="FormatException">Not a regular expression, or one that is not supported.</exception>
    public static RegexTree Parse(string pattern)
    {
        var parser = new RegexParser(pattern);
        var tree = parser.Alternatives();
        return parser._at == pattern.Length ? tree : throw parser.Wrong("there is a ) without its (");
    }

    private bool More => _at < _pattern.Length;

    private FormatException Wrong(string problem) => new($"{problem} (at {_at + 1})");

    private RegexTree Alternatives()
    {
        if (++_nesting > MostNesting) throw Wrong($"it is nested more than {MostNesting} deep");
        var options = new List<RegexTree> { Sequence() };
        while (Take('|')) options.Add(Sequence());
        _nesting--;
        return options.Count == 1 ? options[0] : new RegexTree.Choice(options);
    }

    private RegexTree Sequence()
    {
        var parts = new List<RegexTree>();
        var literals = new List<int>();
        while (More && _pattern[_at] is not ('|' or ')'))
        {
            if (_extended && SkipComment()) continue;
            _literal = -1;
            if (Atom() is not { } atom) continue;
            var literal = _literal;
            var part = Quantified(atom);
            parts.Add(part);
            literals.Add(ReferenceEquals(part, atom) ? literal : -1);
        }
        JoinFolded(parts, literals);
        return parts.Count == 1 ? parts[0] : new RegexTree.Sequence(parts);
    }

    private RegexTree Quantified(RegexTree atom)
    {
        while (More && Quantifier(out var least, out var most, out var counted))
        {
            var mode = Take('?') ? RepeatMode.Lazy : !counted && Take('+') ? RepeatMode.Possessive : RepeatMode.Greedy;
            if (atom is RegexTree.Look or RegexTree.Anchor) throw Wrong("a place cannot be repeated");
            if (atom is not RegexTree.One && (least > MostCopies || most > MostCopies)) throw Wrong($"a group cannot be repeated more than {MostCopies} times");
            if (atom.Shortest == 0 && most < 0) throw Wrong("a group that may be empty cannot be repeated without end");
            atom = new RegexTree.Repeat(atom, least, most, mode);
        }
        return atom;
    }

    private bool Quantifier(out int least, out int most, out bool counted)
    {
        (least, most, counted) = (0, -1, false);
        switch (_pattern[_at])
        {
            case '*':
                break;
            case '+':
                least = 1;
                break;
            case '?':
                most = 1;
                break;
            case '{':
                return counted = Counts(out least, out most);
            default:
                return false;
        }
        _at++;
        return true;
    }

    /// <summary>{2}, {2,}, {,3}, {2,3}; anything else in braces stands for itself.</summary>
    private bool Counts(out int least, out int most)
    {
        (least, most) = (0, -1);
        var end = _pattern.IndexOf('}', _at);
        if (end < 0) return false;
        var parts = _pattern[(_at + 1)..end].Split(',');
        if (parts.Length > 2 || parts.All(part => part.Length == 0) || !parts.All(part => part.All(char.IsAsciiDigit) && part.Length < 7)) return false;
        least = parts[0].Length > 0 ? int.Parse(parts[0], CultureInfo.InvariantCulture) : 0;
        most = parts.Length == 1 ? least : parts[1].Length > 0 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : -1;
        if (most >= 0 && most < least) throw Wrong("a count goes down");
        _at = end + 1;
        return true;
    }

    /// <returns>Null for what only changes the settings.</returns>
    private RegexTree? Atom()
    {
        var c = _pattern[_at];
        switch (c)
        {
            case '(':
                return Group();
            case '[':
                return new RegexTree.One(Set());
            case '.':
                _at++;
                return new RegexTree.One(_dotMatchesLineEnd ? CharSet.None.Negate() : CharSet.Range('\n', '\n').Negate());
            case '^':
                _at++;
                return new RegexTree.Anchor(AnchorKind.LineStart);
            case '$':
                _at++;
                return new RegexTree.Anchor(AnchorKind.LineEnd);
            case '*' or '+' or '?':
                throw Wrong($"{c} has nothing to repeat");
            case '\\':
                return Escape();
            default:
                return Folded(Character());
        }
    }

    private RegexTree? Group()
    {
        _at++;
        var (ignoreCase, dot, extended, behind) = (_ignoreCase, _dotMatchesLineEnd, _extended, _behind);
        Func<RegexTree, RegexTree> wrap = tree => tree;
        if (Take('?'))
        {
            if (Take("=")) wrap = tree => new RegexTree.Look(tree, Behind: false, Negative: false);
            else if (Take("!")) wrap = tree => new RegexTree.Look(tree, Behind: false, Negative: true);
            else if (_pattern.AsSpan(_at).StartsWith("<=") || _pattern.AsSpan(_at).StartsWith("<!"))
            {
                var negative = _pattern[_at + 1] == '!';
                (_at, _behind) = (_at + 2, true);
                wrap = tree => new RegexTree.Look(Behind(tree), Behind: true, negative);
            }
            else if (Take(">")) wrap = tree => new RegexTree.Atomic(tree);
            else if (Take("<") || Take("P<")) SkipPast('>');
            else if (Take("#"))
            {
                SkipPast(')');
                return null;
            }
            else if (!Options()) return RestOfGroup();
        }
        var body = Alternatives();
        if (!Take(')')) throw Wrong("a ( has no )");
        (_ignoreCase, _dotMatchesLineEnd, _extended, _behind) = (ignoreCase, dot, extended, behind);
        _literal = -1;
        return wrap(body);
    }

    /// <summary><c>a(?i)b|c</c> is <c>a(?i:b|c)</c>.</summary>
    private RegexTree RestOfGroup()
    {
        var (ignoreCase, dot, extended) = (_ignoreCase, _dotMatchesLineEnd, _extended);
        var rest = Alternatives();
        (_ignoreCase, _dotMatchesLineEnd, _extended) = (ignoreCase, dot, extended);
        return rest;
    }

    /// <returns>Whether a group follows (<c>i:</c>); else the settings hold for the rest of the group they stand in (<c>i)</c>).</returns>
    private bool Options()
    {
        var on = true;
        while (More)
        {
            switch (_pattern[_at++])
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoreCase = on;
                    break;
                case 'm':
                    _dotMatchesLineEnd = on;
                    break;
                case 'x':
                    _extended = on;
                    break;
                case ':':
                    return true;
                case ')':
                    return false;
                default:
                    _at--;
                    throw Wrong($"(?{_pattern[_at]} is not supported");
            }
        }
        throw Wrong("a ( has no )");
    }

    private RegexTree Behind(RegexTree tree) =>
        tree.Fixed is not null || (tree is RegexTree.Choice choice && choice.Options.All(option => option.Fixed is not null))
            ? tree
            : throw Wrong("what lies behind must have a fixed length");

    private RegexTree Escape()
    {
        if (_at + 1 >= _pattern.Length) throw Wrong("it ends in a backslash");
        var anchor = _pattern[_at + 1] switch
        {
            'A' => AnchorKind.TextStart,
            'z' => AnchorKind.TextEnd,
            'Z' => AnchorKind.TextEndOrLastLine,
            'b' => AnchorKind.WordBoundary,
            'B' => AnchorKind.NoWordBoundary,
            _ => (AnchorKind?)null,
        };
        if (anchor is { } kind)
        {
            _at += 2;
            return new RegexTree.Anchor(kind);
        }
        if (_pattern[_at + 1] == 'R')
        {
            _at += 2;
            var lineEnd = new RegexTree.One(CharSet.Range('\n', '\r').Union(CharSet.Range(0x85, 0x85)).Union(CharSet.Range(0x2028, 0x2029)));
            var both = new RegexTree.Sequence([new RegexTree.One(CharSet.Range('\r', '\r')), new RegexTree.One(CharSet.Range('\n', '\n'))]);
            return new RegexTree.Atomic(new RegexTree.Choice([both, lineEnd]));
        }
        return ClassEscape(inBrackets: false) is { } set ? new RegexTree.One(set) : Folded(EscapedCharacter());
    }

    private int EscapedCharacter()
    {
        _at++;
        var c = _pattern[_at++];
        switch (c)
        {
            case 't':
                return '\t';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return 0x1B;
            case 'u':
                return Hex(4);
            case 'x' when Take('{'):
                var end = _pattern.IndexOf('}', _at);
                if (end < 0) throw Wrong("a { has no }");
                var value = Hex(end - _at);
                _at++;
                return value;
            case 'x':
                return Hex(2);
            case '0':
                return 0;
            case >= 'a' and <= 'z' or >= 'A' and <= 'Z' or >= '1' and <= '9':
                _at -= 2;
                throw Wrong($"\\{c} is not supported");
            default:
                _at--;
                return Character();
        }
    }

    private int Hex(int digits)
    {
        if (digits is < 1 or > 8 || _at + digits > _pattern.Length
            || !int.TryParse(_pattern.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            || value is < 0 or > 0x10FFFF)
        {
            throw Wrong("a hexadecimal number is expected");
        }
        _at += digits;
        return value;
    }

    private int Character()
    {
        var c = char.IsSurrogatePair(_pattern, _at) ? char.ConvertToUtf32(_pattern, _at) : _pattern[_at];
        _at += c >= 0x10000 ? 2 : 1;
        return c;
    }

    private bool SkipComment()
    {
        if (char.IsWhiteSpace(_pattern[_at]))
        {
            _at++;
            return true;
        }
        if (_pattern[_at] != '#') return false;
        while (More && _pattern[_at] != '\n') _at++;
        return true;
    }

    private void SkipPast(char c)
    {
        var end = _pattern.IndexOf(c, _at);
        if (end < 0) throw Wrong($"a {c} is missing");
        _at = end + 1;
    }

    private bool Take(char c)
    {
        if (!More || _pattern[_at] != c) return false;
        _at++;
        return true;
    }

    private bool Take(string text)
    {
        if (!_pattern.AsSpan(_at).StartsWith(text)) return false;
        _at += text.Length;
        return true;
    }
}
