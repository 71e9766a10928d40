namespace LlmTune.Tokenization;

/// <summary>Decodes ids that come one by one. All that it gives, one after the other, is the text of all ids.</summary>
public sealed class StreamDecoder
{
    private readonly TextCollector _text = new();
    private readonly TokenWriter _writer;
    private readonly Func<int, string?> _token;

    internal StreamDecoder(TokenDecoder decoder, Func<int, string?> token) => (_writer, _token) = (decoder.Start(_text, eager: true), token);

    /// <summary>The text that is now certain; empty while a character is not whole.</summary>
    public string Add(int id)
    {
        if (_token(id) is { } token) _writer.Write(token, begins: true);
        return _text.Take();
    }

    /// <summary>What is left when no id comes any more. The decoder is then used up.</summary>
    public string Finish()
    {
        _writer.End();
        return _text.Take();
    }
}
