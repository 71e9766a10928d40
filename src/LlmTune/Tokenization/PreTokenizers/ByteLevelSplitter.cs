namespace LlmTune.Tokenization;

/// <summary>Cuts as GPT-2 does and writes each byte of UTF-8 as a character of <see cref="ByteLevel"/>'s alphabet.</summary>
/// <param name="addPrefixSpace">A space before each piece that begins with none.</param>
/// <param name="cuts">Whether GPT-2's pattern is applied.</param>
/// <param name="maps">False leaves the text as it is, for a model that works on its bytes.</param>
internal sealed class ByteLevelSplitter(bool addPrefixSpace, bool cuts, bool maps = true) : Splitter
{
    private static readonly BytesToChars Mapping = new();

    /// <summary>The same cuts without writing bytes as characters; null where nothing is left to do.</summary>
    public Splitter? WithoutMapping =>
        addPrefixSpace ? new ByteLevelSplitter(true, cuts, maps: false) : cuts ? new ScanSplitter(Scanners.Gpt2) : null;

    public override void Split(Piece piece, Action<Piece> next)
    {
        if (addPrefixSpace && piece.Chars[0] != ' ')
        {
            var prefixed = piece.Copy();
            prefixed.Prepend(" ");
            piece = Piece.All(prefixed);
        }
        var map = maps ? Map(next) : next;
        if (cuts) ScanSplitter.Split(Scanners.Gpt2, piece, map);
        else map(piece);
    }

    private static Action<Piece> Map(Action<Piece> next) => piece =>
    {
        var text = piece.Copy();
        Mapping.Apply(text);
        next(Piece.All(text));
    };
}

/// <summary>Cuts a text that a hand-written scanner covers without gaps.</summary>
internal sealed class ScanSplitter(Scanner scanner) : Splitter
{
    public override void Split(Piece piece, Action<Piece> next) => Split(scanner, piece, next);

    public static void Split(Scanner scanner, Piece piece, Action<Piece> next)
    {
        for (var start = piece.Start; start < piece.End;)
        {
            var end = scanner(piece.Source.Text, start, piece.End);
            next(new Piece(piece.Source, start, end - start));
            start = end;
        }
    }
}
