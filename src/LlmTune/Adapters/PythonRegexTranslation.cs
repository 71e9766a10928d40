using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace LlmTune.Adapters;

/// <summary>Rewrites a regular expression of Python for .NET. What both read alike is left to .NET, its errors too.</summary>
/// <remarks>https://docs.python.org/3/library/re.html#regular-expression-syntax, of Python 3.11 and later.</remarks>
internal sealed class PythonRegexTranslation
{
    private readonly string _source;
    private readonly StringBuilder _text = new();
    private readonly Dictionary<string, int> _groups = new(StringComparer.Ordinal);
    private readonly Stack<(int Start, bool Verbose)> _open = new();
    private int _at;
    private int _count;
    private int _atom = -1;       // where the last thing that can be repeated begins
    private bool _repeated;       // whether it is already
    private bool _verbose;

    private PythonRegexTranslation(string source) => _source = source;

    public string Text => _text.ToString();

    public RegexOptions Options { get; private set; }

    /// <summary>Numbers of the named groups. .NET would count them behind the others, Python counts all from left to right.</summary>
    public IReadOnlyDictionary<string, int> Groups => _groups;

    /// <exception cref="FormatException">What Python refuses and .NET would read otherwise.</exception>
    public static PythonRegexTranslation Of(string pattern, string before, string behind)
    {
        var flags = new PythonRegexTranslation(pattern);
        flags.FlagsAtStart();
        var whole = new PythonRegexTranslation(before + pattern[flags._at..] + behind) { Options = flags.Options, _verbose = flags._verbose };
        while (whole._at < whole._source.Length) whole.Step();
        return whole;
    }

    /// <summary><c>(?i)</c> and its like, which hold for the whole expression.</summary>
    private void FlagsAtStart()
    {
        while (Regex.Match(_source[_at..], @"\A\(\?([aiLmsux]+)\)") is { Success: true } found)
        {
            foreach (var flag in found.Groups[1].Value) SetOption(flag);
            _at += found.Length;
        }
    }

    private void SetOption(char flag)
    {
        switch (flag)
        {
            case 'i': Options |= RegexOptions.IgnoreCase; break;
            case 'm': Options |= RegexOptions.Multiline; break;
            case 's': Options |= RegexOptions.Singleline; break;
            case 'x': _verbose = true; break;
            case 'L': throw Error("the flag L is for bytes");
            default: break;   // a and u: what letters and digits are beyond ASCII, and no module is called so
        }
    }

    private void Step()
    {
        var c = _source[_at];
        switch (c)
        {
            case '\\': Atom(Escape(inClass: false)); break;
            case '[': Atom(CharacterClass()); break;
            case '(': Open(); break;
            case ')': Close(); break;
            case '*' or '+' or '?': Repeat($"{Take()}"); break;
            case '{' when Counts() is { } counts: Repeat(counts); break;
            case '|':
                _text.Append(Take());
                _atom = -1;
                break;
            case '#' when _verbose:
                while (_at < _source.Length && _source[_at] != '\n') _at++;
                break;
            case var space when _verbose && char.IsWhiteSpace(space): _at++; break;
            default:
                Atom(c is '^' or '$' or '.' ? $"{Take()}" : Regex.Escape($"{Take()}"));
                break;
        }
    }

    private void Atom(string text)
    {
        (_atom, _repeated) = (_text.Length, false);
        _text.Append(text);
    }

    /// <summary>Lazy with ? behind it, possessive with +: what was taken is not given back, which is an atomic group to .NET.</summary>
    private void Repeat(string quantifier)
    {
        if (_atom < 0) throw Error("nothing to repeat");
        if (_repeated) throw Error("multiple repeat");
        _text.Append(quantifier);
        _repeated = true;
        if (Next('?')) _text.Append('?');
        else if (Next('+')) _text.Insert(_atom, "(?>").Append(')');
    }

    /// <summary><c>{m}</c>, <c>{m,}</c>, <c>{m,n}</c>, and <c>{,n}</c>, which .NET takes for characters; null where it is none of these.</summary>
    private string? Counts()
    {
        var found = Regex.Match(_source[_at..], @"\A\{([0-9]*)(,?)([0-9]*)\}");
        if (!found.Success || found.Length == 2) return null;
        _at += found.Length;
        return $"{{{(found.Groups[1].Length == 0 ? "0" : found.Groups[1].Value)}{found.Groups[2].Value}{found.Groups[3].Value}}}";
    }

    private void Open()
    {
        var start = _text.Length;
        _at++;
        if (!Next('?'))
        {
            Enter($"(?<{++_count}>");
            return;
        }
        if (Next('#'))
        {
            if (_source.IndexOf(')', _at) is var end and >= 0) _at = end + 1;
            else throw Error("missing ), unterminated comment");
            return;
        }
        if (Next('('))
        {
            Enter($"(?({Number(UpTo(')'))})");
            return;
        }
        if (Next('P'))
        {
            if (Next('<'))
            {
                var name = UpTo('>');
                if (!Regex.IsMatch(name, @"\A[\w-[\d]]\w*\z")) throw Error($"bad character in group name '{name}'");
                if (!_groups.TryAdd(name, ++_count)) throw Error($"redefinition of group name '{name}'");
                Enter($"(?<{_count}>");
            }
            else if (Next('=')) Atom($@"\k<{Number(UpTo(')'))}>");
            else throw Error("unknown extension ?P" + (_at < _source.Length ? _source[_at] : ""));
            return;
        }
        foreach (var kind in (string[])[":", "=", "!", "<=", "<!", ">"])
        {
            if (!_source[_at..].StartsWith(kind, StringComparison.Ordinal)) continue;
            _at += kind.Length;
            Enter("(?" + kind);
            return;
        }
        if (_at < _source.Length && _source[_at] == '<') throw Error("unknown extension ?<; a named group is written (?P<name>…)");
        Flags();

        void Enter(string opening)
        {
            _open.Push((start, _verbose));
            _text.Append(opening);
            _atom = -1;
        }

        void Flags()
        {
            var found = Regex.Match(_source[_at..], @"\A([aiLmsux]*)(?:-([imsx]+))?([:)])");
            if (!found.Success) throw Error("unknown extension ?" + (_at < _source.Length ? _source[_at] : ""));
            if (found.Groups[3].Value == ")") throw Error("global flags not at the start of the expression");
            _at += found.Length;
            static string Known(string flags) => string.Concat(flags.Where("ims".Contains));
            var (on, off) = (Known(found.Groups[1].Value), Known(found.Groups[2].Value));
            Enter($"(?{on}{(off.Length > 0 ? "-" + off : "")}:");
            _verbose = (_verbose || found.Groups[1].Value.Contains('x', StringComparison.Ordinal)) && !found.Groups[2].Value.Contains('x', StringComparison.Ordinal);
        }
    }

    private void Close()
    {
        _text.Append(Take());
        if (!_open.TryPop(out var opened)) throw Error("unbalanced parenthesis");
        (_atom, _repeated, _verbose) = (opened.Start, false, opened.Verbose);
    }

    /// <summary>A set in brackets; a bracket inside is a character, where .NET may read <c>-[</c> as a subtraction.</summary>
    private string CharacterClass()
    {
        var set = new StringBuilder();
        set.Append(Take());
        if (Next('^')) set.Append('^');
        for (var first = true; ; first = false)
        {
            if (_at >= _source.Length) throw Error("unterminated character set");
            var c = _source[_at];
            if (c == ']' && !first)
            {
                _at++;
                return set.Append(']').ToString();
            }
            if (c == '\\') set.Append(Escape(inClass: true));
            else set.Append(c is '[' or ']' or '^' ? $@"\{Take()}" : $"{Take()}");
        }
    }

    private string Escape(bool inClass)
    {
        _at++;
        if (_at >= _source.Length) throw Error(@"bad escape (end of pattern)");
        var c = _source[_at];
        if (char.IsAsciiDigit(c)) return Digits(inClass);
        _at++;
        return c switch
        {
            'd' or 'D' or 's' or 'S' or 'w' or 'W' or 'b' or 'a' or 'f' or 'n' or 'r' or 't' or 'v' or '\\' => $@"\{c}",
            'A' or 'B' when !inClass => $@"\{c}",
            'Z' when !inClass => @"\z",
            'x' => Character(Hex(2)),
            'u' => Character(Hex(4)),
            'U' => Character(Hex(8)),
            _ when char.IsAsciiLetter(c) => throw Error($@"bad escape \{c}"),
            '-' or ']' or '[' or '^' => $@"\{c}",
            _ => inClass ? $"{c}" : Regex.Escape($"{c}"),
        };
    }

    /// <summary>A group that is to be repeated, or a character by its number in octal.</summary>
    private string Digits(bool inClass)
    {
        var octal = Regex.Match(_source[_at..], inClass ? @"\A[0-7]{1,3}" : @"\A(?:0[0-7]{0,2}|[0-3][0-7]{2})");
        if (octal.Success)
        {
            _at += octal.Length;
            return Character(Convert.ToInt32(octal.Value, 8));
        }
        if (inClass) throw Error($@"bad escape \{_source[_at]}");
        var number = Regex.Match(_source[_at..], @"\A[0-9]{1,2}").Value;
        _at += number.Length;
        var group = int.Parse(number, CultureInfo.InvariantCulture);
        return group <= _count ? $@"\k<{group}>" : throw Error($"invalid group reference {group}");
    }

    private int Hex(int digits)
    {
        var found = _at + digits <= _source.Length ? _source.Substring(_at, digits) : "";
        if (!int.TryParse(found, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)) throw Error("incomplete escape");
        _at += digits;
        return value;
    }

    private string Character(int value) => value <= 0xFFFF ? $@"\u{value:X4}" : throw Error($"U+{value:X} is in no module's name");

    private int Number(string group)
    {
        if (_groups.TryGetValue(group, out var number)) return number;
        if (int.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= 1 && number <= _count) return number;
        throw Error($"unknown group name '{group}'");
    }

    private string UpTo(char end)
    {
        var at = _source.IndexOf(end, _at);
        if (at < 0) throw Error($"missing {end}, unterminated name");
        var name = _source[_at..at];
        _at = at + 1;
        return name;
    }

    private char Take() => _source[_at++];

    private bool Next(char c)
    {
        if (_at >= _source.Length || _source[_at] != c) return false;
        _at++;
        return true;
    }

    private FormatException Error(string problem) => new($"{problem} at position {_at}");
}
