namespace LlmTune.Tokenization;

/// <content>Sets of characters: \d and its like, \p{L}, and what stands in brackets.</content>
internal sealed partial class RegexParser
{
    /// <summary>\d, \p{L} and their like; null where the escape is a single character.</summary>
    /// <param name="inBrackets">A word is another thing there.</param>
    private CharSet? ClassEscape(bool inBrackets)
    {
        var c = _pattern[_at + 1];
        var set = c switch
        {
            'd' or 'D' => CharSets.Digit,
            's' or 'S' => CharSets.Space,
            'w' or 'W' => inBrackets ? CharSets.WordInBrackets : CharSets.Word,
            'h' or 'H' => CharSets.HexDigit,
            _ => null,
        };
        if (set is not null)
        {
            _at += 2;
            return char.IsAsciiLetterUpper(c) ? set.Negate() : set;
        }
        if (c is not ('p' or 'P')) return null;
        _at += 2;
        if (!Take('{')) throw Wrong($"\\{c} needs a property in braces");
        var negative = c == 'P' ^ Take('^');
        var end = _pattern.IndexOf('}', _at);
        if (end < 0) throw Wrong("a { has no }");
        var name = _pattern[_at..end];
        var property = CharSets.Property(name, inBrackets) ?? throw Wrong($"the property {name} is not known");
        if (_ignoreCase && CharSets.DependsOnCase(name)) throw Wrong($"the property {name} where case is ignored is not supported");
        _at = end + 1;
        return negative ? property.Negate() : property;
    }

    private CharSet Literal(int c) => _ignoreCase ? CharSets.IgnoringCase(c, c) : CharSet.Range(c, c);

    /// <summary>A character that stands for itself; where case is ignored also for the characters that it folds to.</summary>
    private RegexTree Folded(int c)
    {
        var one = new RegexTree.One(Literal(c));
        if (!_ignoreCase || _behind) return one;
        _literal = c;
        return CaseFolds.Of(c) is { } several
            ? new RegexTree.Choice([one, new RegexTree.Sequence([.. several.Select(part => new RegexTree.One(Literal(part)))])])
            : one;
    }

    /// <summary>Where case is ignored, characters side by side also match one that folds to them: from the left, the longest first.</summary>
    private static void JoinFolded(List<RegexTree> parts, List<int> literals)
    {
        for (var i = 0; i < parts.Count - 1; i++)
        {
            foreach (var (sequence, characters) in CaseFolds.All)
            {
                if (i + sequence.Length > parts.Count || !sequence.Index().All(c => literals[i + c.Index] >= 0 && parts[i + c.Index] is RegexTree.One one && one.Set.Contains(c.Item))) continue;
                var set = characters.Aggregate(CharSet.None, (all, c) => all.Union(CharSet.Range(c, c)));
                parts[i] = new RegexTree.Choice([new RegexTree.Sequence(parts.GetRange(i, sequence.Length)), new RegexTree.One(set)]);
                parts.RemoveRange(i + 1, sequence.Length - 1);
                literals[i] = -1;
                literals.RemoveRange(i + 1, sequence.Length - 1);
                break;
            }
        }
    }

    private CharSet Set()
    {
        if (++_nesting > MostNesting) throw Wrong($"it is nested more than {MostNesting} deep");
        _at++;
        var negative = Take('^');
        CharSet? intersection = null;
        var union = CharSet.None;
        for (var first = true; ; first = false)
        {
            if (!More) throw Wrong("a [ has no ]");
            if (_pattern[_at] == ']' && !first) break;
            if (Take("&&"))
            {
                intersection = intersection?.Intersect(union) ?? union;
                union = CharSet.None;
            }
            else if (_pattern[_at] == '[')
            {
                union = union.Union(_pattern.AsSpan(_at).StartsWith("[:") ? Posix() : Set());
            }
            else
            {
                union = union.Union(SetItem());
            }
        }
        _at++;
        _nesting--;
        var set = intersection?.Intersect(union) ?? union;
        return negative ? set.Negate() : set;
    }

    /// <summary>A class, a character, or a range of characters.</summary>
    private CharSet SetItem()
    {
        if (_pattern[_at] == '\\' && _at + 1 < _pattern.Length)
        {
            if (ClassEscape(inBrackets: true) is { } named) return named;
        }
        var first = SetCharacter();
        if (_at + 1 >= _pattern.Length || _pattern[_at] != '-' || _pattern[_at + 1] is ']' or '[' || IsClassEscape(_at + 1)) return Literal(first);
        _at++;
        var last = SetCharacter();
        if (last < first) throw Wrong("a range goes down");
        return _ignoreCase ? CharSets.IgnoringCase(first, last) : CharSet.Range(first, last);
    }

    private bool IsClassEscape(int at) =>
        _pattern[at] == '\\' && at + 1 < _pattern.Length && _pattern[at + 1] is 'd' or 'D' or 's' or 'S' or 'w' or 'W' or 'h' or 'H' or 'p' or 'P';

    private int SetCharacter()
    {
        if (!More) throw Wrong("a [ has no ]");
        if (_pattern[_at] != '\\') return Character();
        if (_at + 1 >= _pattern.Length) throw Wrong("it ends in a backslash");
        if (_pattern[_at + 1] != 'b') return EscapedCharacter();
        _at += 2;
        return '\b';
    }

    private CharSet Posix()
    {
        var end = _pattern.IndexOf(":]", _at, StringComparison.Ordinal);
        if (end < 0) throw Wrong("[: has no :]");
        var name = _pattern[(_at + 2)..end];
        var negative = name.StartsWith('^');
        if (negative) name = name[1..];
        var set = CharSets.Posix(name) ?? throw Wrong($"[:{name}:] is not supported");
        _at = end + 2;
        return negative ? set.Negate() : set;
    }
}
