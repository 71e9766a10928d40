namespace LlmTune.Tokenization;

/// <summary>A stretch of a text between pre-tokenizers, and at last what the model gets.</summary>
internal readonly record struct Piece(AlignedText Source, int Start, int Length)
{
    public ReadOnlySpan<char> Chars => Source.Text.AsSpan(Start, Length);

    public int End => Start + Length;

    public static Piece All(AlignedText text) => new(text, 0, text.Text.Length);

    public AlignedText Copy() => Source.Slice(Start, End);
}

/// <summary>A step that cuts the text into pieces. Steps keep no state and may run on several threads.</summary>
internal abstract class Splitter
{
    /// <summary>Cuts a piece that is not empty and hands its parts on, in order; empty ones are left out.</summary>
    public abstract void Split(Piece piece, Action<Piece> next);

    /// <summary>The steps of a sequence, this one alone where it is none.</summary>
    public virtual IEnumerable<Splitter> Steps => [this];

    /// <summary>Whether this step has to know where in the original a piece begins.</summary>
    public virtual bool NeedsOrigins => false;

    /// <summary>This step, and the steps of a sequence one after the other, before <paramref name="last"/>.</summary>
    public virtual Action<Piece> Before(Action<Piece> last) => piece => Split(piece, last);

    /// <returns>Null where the file has none.</returns>
    public static Splitter? Read(JsonField field)
    {
        if (field.IsNull) return null;
        field.Object();
        var type = field["type"].Text();
        return type switch
        {
            "Sequence" => new SplitterSequence(
                [.. field["pretokenizers"].Items().SelectMany(f => (Read(f) ?? throw f.Error("expected a pre-tokenizer, found null")).Steps)]),
            "ByteLevel" => new ByteLevelSplitter(field["add_prefix_space"].Flag(), field["use_regex"].Flag(true)),
            "Split" => ReadSplit(field),
            "Metaspace" => new MetaspaceSplitter(MetaspaceSettings.Read(field)),
            "Whitespace" => new MatchSplitter(WordOrSymbols.Matches, SplitBehavior.Removed, invert: true),
            "WhitespaceSplit" => WhiteSpaceRemoved(),
            "BertPreTokenizer" => new SplitterSequence([WhiteSpaceRemoved(), Punctuation(SplitBehavior.Isolated)]),
            "Punctuation" => Punctuation(field["behavior"] is { IsNull: false } behavior ? SplitBehaviors.Read(behavior) : SplitBehavior.Isolated),
            "Digits" => new CharacterSplitter(
                CharacterKinds.IsNumeric, field["individual_digits"].Flag() ? SplitBehavior.Isolated : SplitBehavior.Contiguous),
            "CharDelimiterSplit" or "Delimiter" => CharacterSplitter.At(MetaspaceSettings.OneCharacter(field["delimiter"])),
            "UnicodeScripts" => new ScriptSplitter(),
            "FixedLength" => new FixedLengthSplitter(field["length"] is { IsNull: false } length ? length.Count() : 5, field),
            _ => throw field["type"].Error(
                $"\"{type}\" is not a known pre-tokenizer (Sequence, ByteLevel, Split, Metaspace, Whitespace, WhitespaceSplit, BertPreTokenizer, Punctuation, Digits, "
                + "CharDelimiterSplit, UnicodeScripts, FixedLength)"),
        };
    }

    private static CharacterSplitter WhiteSpaceRemoved() => new(System.Text.Rune.IsWhiteSpace, SplitBehavior.Removed);

    private static CharacterSplitter Punctuation(SplitBehavior behavior) => new(CharacterKinds.IsPunctuation, behavior);

    private static Splitter ReadSplit(JsonField field)
    {
        var (pattern, behavior, invert) = (TextPattern.Read(field["pattern"]), SplitBehaviors.Read(field["behavior"]), field["invert"].Flag());
        return behavior == SplitBehavior.Isolated ? Isolating(pattern) : new MatchSplitter(pattern.Matches, behavior, invert);
    }

    /// <summary>Cuts around each match.</summary>
    public static Splitter Isolating(TextPattern pattern) =>
        Scanners.For(pattern) is { } scanner ? new ScanSplitter(scanner) : new MatchSplitter(pattern.Matches, SplitBehavior.Isolated, invert: false);
}

/// <summary>Every step cuts what the one before it left.</summary>
internal sealed class SplitterSequence(Splitter[] steps) : Splitter
{
    public override IEnumerable<Splitter> Steps => steps;

    /// <summary>Pieces of the first step begin where the stretch of text does.</summary>
    public override bool NeedsOrigins => steps.Skip(1).Any(step => step.NeedsOrigins);

    public override void Split(Piece piece, Action<Piece> next) => Before(next)(piece);

    public override Action<Piece> Before(Action<Piece> last)
    {
        for (var i = steps.Length - 1; i >= 0; i--) last = steps[i].Before(last);
        return last;
    }
}
