namespace LlmTune.Tokenization;

/// <summary>How tokens become text again: a chain of steps, of which each decoding gets its own writers.</summary>
internal sealed class TokenDecoder
{
    /// <summary>Without a decoder tokens are joined by spaces.</summary>
    public static readonly TokenDecoder None = new([(next, _) => new JoinedBySpaces(next)], []);

    private readonly Step[] _steps;

    /// <summary>For each step, whether one before it hands tokens on in parts.</summary>
    private readonly bool[] _joined;

    private TokenDecoder(Step[] steps, bool[] joined) => (_steps, _joined) = (steps, joined.Length > 0 ? joined : new bool[steps.Length]);

    internal delegate TokenWriter Step(TokenWriter next, WriterSettings settings);

    public static TokenDecoder Of(Step step) => new([step], []);

    public static TokenDecoder Read(JsonField field)
    {
        if (field.IsNull) return None;
        var steps = new List<(Step Step, bool Joins)>();
        Add(field, steps);
        var joined = new bool[steps.Count];
        for (var i = 1; i < joined.Length; i++) joined[i] = joined[i - 1] || steps[i - 1].Joins;
        return new TokenDecoder([.. steps.Select(s => s.Step)], joined);
    }

    /// <summary>The first writer of a new chain that ends in <paramref name="last"/>.</summary>
    /// <param name="eager">Whether text is handed on as early as it may be, for a stream.</param>
    public TokenWriter Start(TokenWriter last, bool eager)
    {
        for (var i = _steps.Length - 1; i >= 0; i--) last = _steps[i](last, new WriterSettings(TokensComeWhole: !_joined[i], eager));
        return last;
    }

    private static void Add(JsonField field, List<(Step, bool Joins)> steps)
    {
        field.Object();
        var type = field["type"].Text();
        switch (type)
        {
            case "Sequence":
                foreach (var step in field["decoders"].Items()) Add(step, steps);
                return;
            case "ByteLevel":
                steps.Add(((next, s) => new ByteLevelWriter(next, s.Eager) { TokensComeWhole = s.TokensComeWhole }, true));
                return;
            case "Fuse":
                steps.Add(((next, _) => new Fuse(next), true));
                return;
            case "ByteFallback":
                steps.Add(((next, s) => new ByteFallbackWriter(next, s.Eager) { TokensComeWhole = s.TokensComeWhole }, false));
                return;
            case "Replace":
                var (pattern, content) = (TextPattern.Read(field["pattern"]), field["content"].Text());
                steps.Add((pattern.Literal is { Length: 1 } literal
                    ? (next, _) => new ReplaceCharacter(next, literal, content)
                    : (next, s) => new ReplacePattern(next, pattern, content) { TokensComeWhole = s.TokensComeWhole }, false));
                return;
            case "Strip":
                var stripped = MetaspaceSettings.OneCharacter(field["content"]).ToString();
                var (start, stop) = (field["start"].Count(), field["stop"].Count());
                steps.Add(((next, _) => new StripWriter(next, stripped, start, stop), false));
                return;
            case "Metaspace":
                var settings = MetaspaceSettings.Read(field);
                steps.Add(((next, _) => new MetaspaceWriter(next, settings), false));
                return;
            case "WordPiece":
                var (prefix, cleanup) = (field["prefix"].Text(), field["cleanup"].Flag());
                steps.Add(((next, s) => new WordPieceWriter(next, prefix, cleanup) { TokensComeWhole = s.TokensComeWhole }, false));
                return;
            case "BPEDecoder":
                var suffix = field["suffix"].Text();
                steps.Add(((next, s) => new SuffixWriter(next, suffix) { TokensComeWhole = s.TokensComeWhole }, true));
                return;
            case "CTC":
                var (pad, delimiter, clean) = (field["pad_token"].Text(), field["word_delimiter_token"].Text(), field["cleanup"].Flag());
                steps.Add(((next, s) => new CtcWriter(next, pad, delimiter, clean) { TokensComeWhole = s.TokensComeWhole }, false));
                return;
            default:
                throw field["type"].Error(
                    $"\"{type}\" is not a known decoder (Sequence, ByteLevel, Fuse, ByteFallback, Replace, Strip, Metaspace, WordPiece, BPEDecoder, "
                    + "CTC)");
        }
    }

    internal readonly record struct WriterSettings(bool TokensComeWhole, bool Eager);
}
