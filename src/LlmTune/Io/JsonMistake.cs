using System.Buffers;
using System.Text;

namespace LlmTune.Io;

/// <summary>
/// What is wrong with a text that is not JSON, in the words of the person who has the file: Python's None and single quotes, NaN, a comma
/// too many, a comment. Only looked for once a reader has refused the text, so it has nothing to do with how fast good files are read.
/// </summary>
/// <param name="Offset">Of the first byte that is wrong.</param>
/// <param name="What">What stands there, and what to do.</param>
internal readonly record struct JsonMistake(int Offset, string What)
{
    private const int DeepestNesting = 64;

    private static readonly SearchValues<byte>
        HexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8), Separators = SearchValues.Create(" \t\r\n,:]}"u8);

    /// <summary>The first mistake of a text, which is UTF-8.</summary>
    public static JsonMistake Find(ReadOnlySpan<byte> text)
    {
        var scanner = new Scanner(text);
        return scanner.Whole() ? TooEarly(text) : scanner.Mistake;
    }

    /// <summary>The same of what is left of a list.</summary>
    /// <param name="behindValue">Whether a value of the list stands before it.</param>
    public static JsonMistake FindInList(ReadOnlySpan<byte> text, bool behindValue)
    {
        var scanner = new Scanner(text);
        return scanner.RestOfList(DeepestNesting - 1, first: !behindValue) ? TooEarly(text) : scanner.Mistake;
    }

    private static JsonMistake TooEarly(ReadOnlySpan<byte> text) => new(text.Length, "it ends too early; is the file cut off?");

    private ref struct Scanner(ReadOnlySpan<byte> text)
    {
        private readonly ReadOnlySpan<byte> _text = text;
        private int _at;

        public JsonMistake Mistake { get; private set; }

        private readonly byte Current => _at < _text.Length ? _text[_at] : (byte)0;

        public bool Whole()
        {
            Space();
            if (Current == '<') return Wrong("it begins with '<', as a web page does; download the file itself (on the Hub /resolve/ in the place of /blob/)");
            if (_text.StartsWith("../"u8)) return Wrong("it holds a path, as a symbolic link does that was copied as text; put the file there that it names");
            if (!Value(DeepestNesting)) return false;
            Space();
            return _at == _text.Length || (Current == ',' ? Wrong("a comma follows the value; remove it") : Wrong($"{Shown()} follows the end of the value"));
        }

        public bool RestOfList(int depth, bool first)
        {
            while (true)
            {
                Space();
                if (Ends("a list")) return false;
                if (Current == ']') return Skip(1);
                if (!first && Current != ',') return Comment() || NoComma();
                if (!first)
                {
                    var comma = _at++;
                    Space();
                    if (Current == ']') return Trailing(comma);
                }
                if (!Value(depth)) return false;
                first = false;
            }
        }

        private bool Value(int depth)
        {
            Space();
            if (Ends("a value")) return false;
            if (depth == 0) return Wrong($"it is nested deeper than {DeepestNesting} levels");
            switch (Current)
            {
                case (byte)'{':
                    _at++;
                    return Object(depth - 1);
                case (byte)'[':
                    _at++;
                    return RestOfList(depth - 1, first: true);
                case (byte)'"':
                    return Text();
                case (byte)'-' or (>= (byte)'0' and <= (byte)'9'):
                    return Number();
                default:
                    return Word();
            }
        }

        private bool Object(int depth)
        {
            var first = true;
            while (true)
            {
                Space();
                if (Ends("an object")) return false;
                if (Current == '}') return Skip(1);
                if (!first && Current != ',') return Comment() || NoComma();
                if (!first)
                {
                    var comma = _at++;
                    Space();
                    if (Current == '}') return Trailing(comma);
                    if (Ends("an object")) return false;
                }
                if (Current != '"') return Comment() || Quote() || Wrong($"the name {Shown()} stands without double quotes");
                if (!Text()) return false;
                Space();
                if (Ends("an object")) return false;
                if (Current != ':') return Comment() || Wrong($"a colon is missing before {Shown()}");
                _at++;
                if (!Value(depth)) return false;
                first = false;
            }
        }

        private bool Text()
        {
            var start = _at++;
            while (_at < _text.Length)
            {
                switch (Current)
                {
                    case (byte)'"':
                        return Skip(1);
                    case (byte)'\n' or (byte)'\r':
                        return Wrong("a line break stands within a text; there it is written \\n (or is a quote missing before it?)");
                    case (byte)'\t':
                        return Wrong("a tab stands within a text; there it is written \\t");
                    case < 0x20:
                        return Wrong($"a control character (0x{Current:X2}) stands within a text");
                    case (byte)'\\' when !Escape():
                        return false;
                    default:
                        _at++;
                        break;
                }
            }
            _at = start;
            return Wrong("a text begins here that does not end; is a quote missing, or is the file cut off?");
        }

        /// <summary>Goes to the last byte of an escape.</summary>
        private bool Escape()
        {
            var rest = _text[(_at + 1)..];
            if (rest is [(byte)'u', ..])
            {
                var digits = rest[1..].IndexOfAnyExcept(HexDigits);
                if (digits < 0 ? rest.Length - 1 < 4 : digits < 4) return Wrong("the escape \\u is followed by four digits (0 to 9, a to f)");
                return Skip(5);
            }
            if (rest.IsEmpty || "\"\\/bfnrt"u8.Contains(rest[0])) return Skip(1);
            return Wrong($"JSON has no escape {Encoding.UTF8.GetString(_text.Slice(_at, 1 + Letter(rest)))}; a backslash itself is written \\\\");
        }

        private bool Number()
        {
            var word = Run();
            if (word.SequenceEqual("-Infinity"u8) || word.SequenceEqual("-NaN"u8)) return Word();
            var digits = word is [(byte)'-', ..] ? word[1..] : word;
            var whole = digits.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            if (whole < 0) whole = digits.Length;
            var good = whole > 0 && (whole == 1 || digits[0] != '0') && Fraction(digits[whole..]);
            return good ? Skip(word.Length) : NoNumber();
        }

        private static bool Fraction(ReadOnlySpan<byte> rest)
        {
            if (rest is [(byte)'.', ..])
            {
                var digits = rest[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9');
                if (digits == 0 || rest.Length == 1) return false;
                rest = digits < 0 ? [] : rest[(1 + digits)..];
            }
            if (rest is [(byte)'e' or (byte)'E', ..]) rest = rest[1..] is [(byte)'+' or (byte)'-', ..] ? rest[2..] : rest[1..];
            else if (!rest.IsEmpty) return false;
            else return true;
            return !rest.IsEmpty && rest.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;
        }

        private bool Word()
        {
            var word = Encoding.UTF8.GetString(Run());
            switch (word)
            {
                case "true" or "false" or "null":
                    return Skip(word.Length);
                case "NaN" or "-NaN" or "nan":
                    return Wrong($"{word} is what Python writes where a value is missing, and no JSON; write null (pandas: df.to_json, or df.fillna(\"\") before)");
                case "Infinity" or "-Infinity" or "inf" or "-inf":
                    return Wrong($"{word} is a number of Python's, and no JSON; write null or a number");
                case "None" or "True" or "False":
                    return Wrong($"{word} is Python, in JSON it is {(word == "None" ? "null" : word.ToLowerInvariant())}; {Dumps}");
                case "undefined":
                    return Wrong("undefined is JavaScript, in JSON it is null");
            }
            if (Current is (byte)'.' or (byte)'+' && _at + 1 < _text.Length && _text[_at + 1] is (>= (byte)'0' and <= (byte)'9') or (byte)'.') return NoNumber();
            return Comment() || Quote() || Wrong(Current is (byte)',' or (byte)':' or (byte)'}' or (byte)']'
                ? $"a value is missing before {Shown()}"
                : $"{Shown()} is no value of JSON; a text stands in double quotes");
        }

        private const string Dumps = "json.dumps(row) writes JSON, str(row) and print(row) do not";

        /// <summary>Says that a quote is none of JSON's, where one stands here. False in every case.</summary>
        private bool Quote()
        {
            if (Current is (byte)'\'') return Wrong($"a text in single quotes, as Python prints it; JSON has double quotes: {Dumps}");
            if (_text[_at..].StartsWith("“"u8) || _text[_at..].StartsWith("”"u8) || _text[_at..].StartsWith("‘"u8) || _text[_at..].StartsWith("’"u8))
                return Wrong("a quote as word processors set it; JSON has \"");
            return false;
        }

        /// <summary>Says that there is a comment, where one stands here. False in every case.</summary>
        private bool Comment() => (Current == '#' || _text[_at..].StartsWith("//"u8) || _text[_at..].StartsWith("/*"u8))
            && Wrong("a comment, which JSON does not have; remove it");

        private bool NoNumber() => Wrong($"{Shown()} is no number as JSON writes it");

        /// <summary>Behind a text that ends at a quote of its own letters follow.</summary>
        private bool NoComma() => Wrong(_at > 0 && char.IsLetterOrDigit((char)Current)
            ? $"a comma is missing before {Shown()} (a quote within a text is written \\\")" : $"a comma is missing before {Shown()}");

        private bool Trailing(int comma)
        {
            var close = (char)Current;
            _at = comma;
            return Wrong($"a comma with nothing between it and the {close} that follows; remove it");
        }

        private bool Ends(string within) => _at >= _text.Length && !Wrong($"it ends within {within}; is the file cut off?");

        /// <summary>The first mistake stands; what is tried after it says nothing more.</summary>
        private bool Wrong(string what)
        {
            if (Mistake.What is null) Mistake = new JsonMistake(_at, what);
            return false;
        }

        private bool Skip(int count)
        {
            _at = Math.Min(_at + count, _text.Length);
            return true;
        }

        private void Space()
        {
            while (_at < _text.Length && Current is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r') _at++;
        }

        /// <summary>The word or number that stands here, up to what separates values.</summary>
        private readonly ReadOnlySpan<byte> Run()
        {
            var rest = _text[_at..];
            var end = rest.IndexOfAny(Separators);
            return end < 0 ? rest : rest[..end];
        }

        /// <summary>What stands here, for messages.</summary>
        private readonly string Shown()
        {
            var run = Run();
            if (run.IsEmpty) run = _text.Slice(_at, Letter(_text[_at..]));
            var word = Encoding.UTF8.GetString(run);
            return $"'{(word.Length > 20 ? word[..20] + "…" : word)}'";
        }

        /// <summary>Bytes of the first character.</summary>
        private static int Letter(ReadOnlySpan<byte> text)
        {
            Rune.DecodeFromUtf8(text, out _, out var bytes);
            return bytes;
        }
    }
}
