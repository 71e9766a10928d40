using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// SentencePiece's decoding: control pieces are invisible, unknown ones have a surface of their own, bytes are read as UTF-8 with
/// U+FFFD for each that is none, and the space before the text goes.
/// </summary>
internal sealed class SentencePieceWriter(TokenWriter next, SentencePieceFile file) : TokenWriter(next)
{
    private readonly Dictionary<string, PieceEntry> _pieces = file.Pieces.ToDictionary(piece => piece.Text);
    private readonly List<byte> _bytes = [];
    private bool _atStart = true;
    private bool _droppedSpace;
    private bool _anyText;

    public override void Write(string text, bool begins)
    {
        var type = _pieces[text].Type;
        if (type == PieceType.Byte)
        {
            _bytes.Add(Convert.ToByte(text.Substring(3, 2), 16));
            GiveBytes(all: false);
            return;
        }
        GiveBytes(all: true);
        if (_droppedSpace || _anyText) _atStart = false;
        _droppedSpace = false;
        if (type == PieceType.Control) return;
        Give(type == PieceType.Unknown ? file.UnknownSurface : Surface(text));
    }

    public override void End()
    {
        GiveBytes(all: true);
        base.End();
    }

    private string Surface(string text)
    {
        if (_atStart && (file.AddDummyPrefix || file.RemoveExtraWhiteSpace) && text.StartsWith(SentencePieceFile.Space, StringComparison.Ordinal))
        {
            text = text[1..];
            _droppedSpace = !file.RemoveExtraWhiteSpace;
        }
        return text.Replace(SentencePieceFile.Space, " ", StringComparison.Ordinal);
    }

    /// <summary>Gives the characters that are whole, and U+FFFD for bytes that can never become one.</summary>
    private void GiveBytes(bool all)
    {
        var bytes = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes);
        var text = new StringBuilder();
        while (bytes.Length > 0)
        {
            var status = Rune.DecodeFromUtf8(bytes, out var rune, out var length);
            if (status == System.Buffers.OperationStatus.NeedMoreData && !all) break;
            if (status != System.Buffers.OperationStatus.Done) length = 1;
            text.Append(status == System.Buffers.OperationStatus.Done ? rune.ToString() : "\uFFFD");
            bytes = bytes[length..];
        }
        _bytes.RemoveRange(0, _bytes.Count - bytes.Length);
        Give(text.ToString());
    }

    private void Give(string text)
    {
        if (text.Length == 0) return;
        _anyText = true;
        Next.Write(text, begins: true);
    }
}
