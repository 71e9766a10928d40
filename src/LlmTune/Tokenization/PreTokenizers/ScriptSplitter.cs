namespace LlmTune.Tokenization;
internal sealed class ScriptSplitter : Splitter
{
    public override void Split(Piece piece, Action<Piece> next) => throw new RequestException("UnicodeScripts is not supported yet");
}
