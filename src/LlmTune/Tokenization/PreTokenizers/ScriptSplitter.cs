namespace LlmTune.Tokenization;

/// <summary>Cuts where the script changes. Kana goes with Han; a space, and what has no script, goes with anything.</summary>
internal sealed class ScriptSplitter : Splitter
{
    private const int Any = -1;
    private static readonly int Han = UnicodeScripts.Find("han")!.Value;
    private static readonly int Hiragana = UnicodeScripts.Find("hiragana")!.Value;
    private static readonly int Katakana = UnicodeScripts.Find("katakana")!.Value;

    public override void Split(Piece piece, Action<Piece> next)
    {
        var (start, last) = (-1, (int?)null);
        for (var i = piece.Start; i < piece.End;)
        {
            var script = ScriptOf(Utf16.RuneAt(piece.Source.Text, i, out var length).Value);
            if (script != Any && last != script)
            {
                if (start >= 0) next(new Piece(piece.Source, start, i - start));
                start = i;
            }
            if (script != Any) last = script;
            i += length;
        }
        if (start >= 0) next(new Piece(piece.Source, start, piece.End - start));
    }

    private static int ScriptOf(int character)
    {
        if (character == ' ') return Any;
        if (character == 0x30FC) return Han;
        var script = UnicodeScripts.OfUnicode9(character);
        return script == Hiragana || script == Katakana ? Han : script;
    }
}
